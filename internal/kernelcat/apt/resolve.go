package apt

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"banger/internal/model"
)

// Bounds of what one kernel may consist of.
const (
	maxPackages = 8
	maxDownload = 1 << 30 // bytes
)

// pkg is one package of the release.
type pkg struct {
	Name    string
	Version string
	Size    int64 // bytes of the .deb
	Depends []string
}

// concreteRE are the packages that hold a kernel or its modules; what bears
// no version is a meta package.
var concreteRE = regexp.MustCompile(`^linux-(image|modules)-[0-9]`)

// sourceRE are the packages that hold a kernel's source.
var sourceRE = regexp.MustCompile(`^linux-source-[0-9]`)

// nameRE is Debian policy 5.6.1.
var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{1,127}$`)

// resolve follows the dependencies of req's package to those that hold the
// kernel and its modules, the first one being the kernel image's, or to the
// one that holds its source.
func (c *Client) resolve(ctx context.Context, conf string, req Request) ([]pkg, error) {
	wanted, first := concreteRE, "linux-image-"
	if req.Source {
		wanted, first = sourceRE, "linux-source-"
	}
	name := req.Package
	var concrete []pkg
	queue, seen := []string{name}, map[string]bool{name: true}
	for len(queue) > 0 {
		p, err := c.show(ctx, conf, queue[0])
		if err != nil {
			return nil, err
		}
		queue = queue[1:]
		if wanted.MatchString(p.Name) {
			concrete = append(concrete, p)
		}
		for _, dep := range p.Depends {
			if wanted.MatchString(dep) && !seen[dep] && len(seen) < maxPackages {
				seen[dep] = true
				queue = append(queue, dep)
			}
		}
	}
	if len(concrete) == 0 || !strings.HasPrefix(concrete[0].Name, first) {
		return nil, model.Errorf(model.CodeNotFound, "package %s does not lead to a %s package", name, strings.TrimSuffix(first, "-"))
	}
	return concrete, nil
}

// show asks for the candidate version of a package.
func (c *Client) show(ctx context.Context, conf, name string) (pkg, error) {
	out, err := c.apt(ctx, queryTimeout, "", "apt-cache", "-c", conf, "show", "--no-all-versions", name)
	if err != nil {
		return pkg{}, err
	}
	p := parseStanza(out)
	if p.Name != name || p.Version == "" || !nameRE.MatchString(name) {
		return pkg{}, model.Errorf(model.CodeNotFound, "the release has no package %s", name)
	}
	return p, nil
}

// parseStanza reads the first stanza of package fields (deb822(5)).
func parseStanza(text string) pkg {
	var p pkg
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			break
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Size":
			p.Size, _ = strconv.ParseInt(value, 10, 64) // 0 only loses the announcement
		case "Depends":
			p.Depends = dependNames(value)
		}
	}
	return p
}

// dependNames returns the first alternative of each dependency, without
// version or architecture.
func dependNames(list string) []string {
	var names []string
	for dep := range strings.SplitSeq(list, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(dep), " ")
		name, _, _ = strings.Cut(name, ":")
		if nameRE.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}
