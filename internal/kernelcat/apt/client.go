package apt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"banger/internal/model"
	"banger/internal/run"
)

// Bounds of apt's commands. A mirror that does not answer ends them long
// before: see aptConf.
const (
	queryTimeout    = time.Minute
	updateTimeout   = 5 * time.Minute
	downloadTimeout = 15 * time.Minute
	grace           = 2 * time.Second
)

// Config says where a Client keeps its files and what it takes for the host.
type Config struct {
	Dir       string   // private root, made when missing: package lists, cache
	Arch      string   // of the packages, as dpkg names it
	OSRelease string   // default /etc/os-release
	Keyrings  string   // directory; default /usr/share/keyrings
	Env       []string // added to apt's environment
}

// Client runs apt with private lists. One command runs at a time.
type Client struct {
	cfg  Config
	turn chan struct{}
}

// New returns a client; nothing is run yet.
func New(cfg Config) *Client {
	if cfg.OSRelease == "" {
		cfg.OSRelease = "/etc/os-release"
	}
	if cfg.Keyrings == "" {
		cfg.Keyrings = "/usr/share/keyrings"
	}
	return &Client{cfg: cfg, turn: make(chan struct{}, 1)}
}

// Request names a kernel package.
type Request struct {
	Distro  string // debian or ubuntu
	Suite   string // a release's code name; "": this host's release, which must be of Distro
	Package string // may be a meta package
	Source  bool   // the kernel's source is wanted, not the kernel
}

// Result is what was downloaded.
type Result struct {
	Files   []string // absolute paths of the packages
	Package string   // the kernel image's
	Version string   // of that package
}

// Download brings the kernel packages that req stands for into dir, which
// exists and is empty. note is told what happens.
//
//	ask       which mirrors of the distribution the host's apt knows
//	prepare   private root with a sources.list for the one release
//	update    the release's signed index and package list
//	resolve   meta package -> kernel image and modules packages
//	fetch     the packages, checked against the index
//
// A host without apt or without such a mirror is CodeUnsupported, a mirror
// that does not answer CodeUnreachable, a bad signature or checksum
// CodeIntegrity, an unknown package CodeNotFound.
func (c *Client) Download(ctx context.Context, req Request, dir string, note func(string)) (Result, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Result{}, model.Errorf(model.CodeCanceled, "waiting for another download: %w", ctx.Err())
	}
	sources, err := c.sources(ctx, req, note)
	if err != nil {
		return Result{}, err
	}
	conf, err := c.prepare(req, sources)
	if err != nil {
		return Result{}, err
	}
	note("reading the package lists of " + req.Distro + " " + sources[0].Suite)
	if _, err := c.apt(ctx, updateTimeout, "", "apt-get", "-c", conf, "-q", "update"); err != nil {
		return Result{}, err
	}
	packages, err := c.resolve(ctx, conf, req)
	if err != nil {
		return Result{}, err
	}
	return c.fetch(ctx, conf, packages, dir, note)
}

// prepare writes the private root and returns the path of its apt.conf.
func (c *Client) prepare(req Request, sources []source) (string, error) {
	keyring := filepath.Join(c.cfg.Keyrings, req.Distro+"-archive-keyring.gpg")
	if _, err := os.Stat(keyring); err != nil {
		return "", model.Errorf(model.CodeUnsupported, "this host has no keys of %s: %w", req.Distro, err).
			WithHint("install the package %s-archive-keyring", req.Distro)
	}
	root := filepath.Join(c.cfg.Dir, req.Distro+"-"+sources[0].Suite)
	return c.writeRoot(root, sourcesList(sources, c.cfg.Arch, keyring))
}

// writeRoot makes a private apt root. With an empty list it has the host's
// sources.
func (c *Client) writeRoot(root, list string) (string, error) {
	conf, err := aptConf(root, c.cfg.Arch, list != "")
	if err != nil {
		return "", err
	}
	for _, dir := range []string{"lists/partial", "cache/archives/partial", "state"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return "", fmt.Errorf("making apt's private root: %w", err)
		}
	}
	for name, text := range map[string]string{"apt.conf": conf, "sources.list": list, "status": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("making apt's private root: %w", err)
		}
	}
	return filepath.Join(root, "apt.conf"), nil
}

// fetch downloads the packages into dir.
func (c *Client) fetch(ctx context.Context, conf string, packages []pkg, dir string, note func(string)) (Result, error) {
	args := []string{"-c", conf, "-q", "download"}
	var size int64
	for _, p := range packages {
		args = append(args, p.Name+"="+p.Version)
		size += p.Size
	}
	if size > maxDownload {
		return Result{}, model.Errorf(model.CodeLimit, "%s has %d bytes: at most %d are allowed", packages[0].Name, size, int64(maxDownload))
	}
	note(fmt.Sprintf("downloading %s %s (%d MB)", packages[0].Name, packages[0].Version, (size+999_999)/1_000_000))
	if _, err := c.apt(ctx, downloadTimeout, dir, "apt-get", args...); err != nil {
		return Result{}, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != len(packages) {
		return Result{}, model.Errorf(model.CodeInternal, "apt was asked for %d packages and left %d", len(packages), len(files))
	}
	slices.Sort(files)
	return Result{Files: files, Package: packages[0].Name, Version: packages[0].Version}, nil
}

// apt runs one of apt's commands and returns its standard output.
func (c *Client) apt(ctx context.Context, limit time.Duration, dir, name string, args ...string) (string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return "", model.Errorf(model.CodeUnsupported, "this host has no %s", name)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res, err := run.Command(ctx, run.Cmd{
		Name: name, Args: args, Dir: dir, Grace: grace, MaxStdout: 16 << 20,
		Env: append([]string{"DEBIAN_FRONTEND=noninteractive"}, c.cfg.Env...),
	})
	if err != nil {
		return "", classify(err, strings.ToLower(string(res.Stderr)))
	}
	return string(res.Stdout), nil
}
