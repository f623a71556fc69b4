package apt

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/model"
)

// source is one line of sources.list(5).
type source struct {
	URI   string
	Suite string
}

// pockets are the parts of a release that kernels are taken from, by what
// follows the release's name.
var pockets = []string{"", "-updates", "-security"}

// sources returns where the release that req names is to be had: the mirrors
// of its distribution that the host's apt is set up with. The first one's
// Suite is the release itself.
func (c *Client) sources(ctx context.Context, req Request, note func(string)) ([]source, error) {
	suite, err := c.suite(req)
	if err != nil {
		return nil, err
	}
	targets, failed := c.targets(ctx, note)
	found := rewrite(targets, req.Distro, suite)
	switch {
	case len(found) > 0 && found[0].Suite == suite:
		return found, nil
	case failed != nil:
		return nil, failed
	default:
		return nil, model.Errorf(model.CodeUnsupported, "this host's apt knows no mirror of %s", req.Distro)
	}
}

// suite returns the release's code name, for "" that of the host.
func (c *Client) suite(req Request) (string, error) {
	if req.Suite != "" {
		return req.Suite, nil
	}
	f, err := os.Open(c.cfg.OSRelease)
	if err != nil {
		return "", model.Errorf(model.CodeUnsupported, "this host does not say what it is: %w", err)
	}
	defer f.Close()
	host := parseOSRelease(f)
	if host["ID"] != req.Distro || host["VERSION_CODENAME"] == "" {
		return "", model.Errorf(model.CodeUnsupported, "this host is no release of %s", req.Distro)
	}
	return host["VERSION_CODENAME"], nil
}

// parseOSRelease reads os-release(5).
func parseOSRelease(r io.Reader) map[string]string {
	fields := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(r, 64<<10))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			fields[key] = strings.Trim(value, `"'`)
		}
	}
	return fields
}

// targetFormat has what rewrite needs, separated by blanks, which none holds.
const targetFormat = "$(ORIGIN) $(RELEASE) $(REPO_URI)"

// targets asks the host's apt for its sources. They have no origin before
// the first update; on such a host that is made up for in a private root.
// What is known is returned beside an error: one dead source of many need not
// be one of those that matter.
func (c *Client) targets(ctx context.Context, note func(string)) (string, error) {
	args := []string{"indextargets", "--format", targetFormat, "Identifier: Packages", "Component: main"}
	out, err := c.apt(ctx, queryTimeout, "", "apt-get", args...)
	if err != nil || strings.TrimSpace(out) != "" {
		return out, err
	}
	conf, err := c.writeRoot(filepath.Join(c.cfg.Dir, "host"), "")
	if err != nil {
		return "", err
	}
	note("reading the package lists of this host's sources")
	_, failed := c.apt(ctx, updateTimeout, "", "apt-get", "-c", conf, "-q", "update")
	out, err = c.apt(ctx, queryTimeout, "", "apt-get", append([]string{"-c", conf}, args...)...)
	return out, cmp.Or(failed, err)
}

// rewrite turns the host's sources into those of suite: the same mirrors,
// another release. The release itself comes first.
func rewrite(targets, distro, suite string) []source {
	var found []source
	for line := range strings.Lines(targets) {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.EqualFold(fields[0], distro) || strings.HasPrefix(fields[2], "cdrom:") {
			continue
		}
		name, pocket, dashed := strings.Cut(fields[1], "-")
		if dashed {
			pocket = "-" + pocket
		}
		s := source{URI: fields[2], Suite: suite + pocket}
		if !strings.Contains(name, "/") && slices.Contains(pockets, pocket) && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b source) int { return strings.Compare(a.Suite, b.Suite) })
	return found
}

// sourcesList is the sources.list of a private root: package lists only, and
// only what the distribution's own key has signed.
func sourcesList(sources []source, arch, keyring string) string {
	var b strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&b, "deb [target=Packages arch=%s signed-by=%s] %s %s main\n", arch, keyring, s.URI, s.Suite)
	}
	return b.String()
}
