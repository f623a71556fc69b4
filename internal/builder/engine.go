package builder

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"banger/internal/model"
	"banger/internal/run"
)

// probeTime bounds how long an engine may take to tell its version.
const probeTime = 10 * time.Second

// Engine is a program of this host that builds Dockerfiles.
type Engine struct {
	Name    string // docker, podman or buildah
	Program string // absolute path
	Version string
}

// String is the engine as people know it: its name and version.
func (e Engine) String() string { return e.Name + " " + e.Version }

// Finder looks for engines in the directories of Path, a list as in PATH; ""
// is PATH itself.
type Finder struct{ Path string }

// names returns the engines in the order in which Any tries them.
func names() []string { return []string{"docker", "podman", "buildah"} }

// probe returns the arguments with which an engine tells its version: docker
// and podman that of what does the work, which must answer.
func probe(name string) []string {
	switch name {
	case "docker":
		return []string{"version", "--format={{.Server.Version}}"} // docker version
	case "podman":
		return []string{"info", "--format={{.Version.Version}}"} // podman-info(1)
	}
	return []string{"--version"} // buildah(1)
}

// Find returns the engine of a name. One that is not installed or does not
// answer is model.CodeUnsupported.
func (f Finder) Find(ctx context.Context, name string) (Engine, error) {
	program, err := f.look(name)
	if err != nil {
		return Engine{}, model.Errorf(model.CodeUnsupported, "builder %s: the program %s is not on the PATH of the daemon", name, name).
			WithHint("install %s, or build in VMs: --builder banger", name)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	res, err := run.Command(ctx, run.Cmd{Name: program, Args: probe(name), MaxStdout: 64 << 10})
	if err != nil {
		return Engine{}, model.Errorf(model.CodeUnsupported, "builder %s does not answer: %w", name, printableError(err)).
			WithHint("see that `%s info` works for you, or build in VMs: --builder banger", name)
	}
	version := versionText().Find(res.Stdout)
	if version == nil {
		return Engine{}, model.Errorf(model.CodeUnsupported, "builder %s does not tell its version", name)
	}
	return Engine{Name: name, Program: program, Version: string(version)}, nil
}

// Any returns the first engine that can be used here.
func (f Finder) Any(ctx context.Context) (Engine, bool) {
	for _, name := range names() {
		if engine, err := f.Find(ctx, name); err == nil {
			return engine, true
		}
	}
	return Engine{}, false
}

func versionText() *regexp.Regexp {
	return regexp.MustCompile(`[0-9]{1,4}\.[0-9]{1,4}[0-9A-Za-z.+~-]{0,40}`)
}

// look finds a program.
func (f Finder) look(name string) (string, error) {
	path := f.Path
	if path == "" {
		path = os.Getenv("PATH")
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // what lies in the working directory is nobody's program
		}
		if program, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return program, nil
		}
	}
	return "", exec.ErrNotFound
}

// printableError is err with what the program said made safe for a terminal.
func printableError(err error) error {
	var failed *run.Error
	if !errors.As(err, &failed) {
		return err
	}
	safe := *failed
	lines := strings.Split(strings.TrimSpace(failed.Output), "\n")
	for i := range lines {
		lines[i] = model.Printable(lines[i])
	}
	safe.Output = strings.Join(lines, "\n")
	return &safe
}
