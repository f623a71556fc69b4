package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/run"
)

// endTime is what an engine has to end the containers of a build that is
// canceled, before it is killed.
const endTime = 5 * time.Second

// Build is a Dockerfile to be built. Paths are absolute.
type Build struct {
	Context    string   // directory that is copied from
	Dockerfile string   // file
	Target     string   // stage to stop at; "" is the last
	Args       []string // KEY=VALUE
	NoCache    bool
	Network    model.NetworkMode // none, or user: whatever the engine gives a build
	Tag        string            // what the engine keeps the image as
}

// Arguments returns what an engine is called with to build b and to write the
// id of the image to a file: docker-buildx-build(1), podman-build(1),
// buildah-build(1). Values cannot be taken for flags.
func (e Engine) Arguments(b Build, idFile string) []string {
	argv := []string{"build", "--iidfile=" + idFile, "--tag=" + b.Tag, "--file=" + b.Dockerfile}
	if e.Name == "buildah" {
		argv = append(argv, "--layers") // the cache, which the others have anyway
	}
	if b.Target != "" {
		argv = append(argv, "--target="+b.Target)
	}
	for _, kv := range b.Args {
		argv = append(argv, "--build-arg="+kv)
	}
	if b.NoCache {
		argv = append(argv, "--no-cache")
	}
	if b.Network == model.NetNone {
		argv = append(argv, "--network=none")
	}
	return append(argv, b.Context)
}

// ErrFailed: the engine ran, and ended with an error.
var ErrFailed = errors.New("the build failed")

// Build builds b and returns the id of the image. What the engine says goes to
// log, from one goroutine at a time. dir is a directory for a file. When ctx
// ends, or this process, the engine and its group of processes are ended.
func (e Engine) Build(ctx context.Context, b Build, dir string, log io.Writer) (id string, err error) {
	idFile := filepath.Join(dir, "image-id")
	out := &lockedWriter{w: log}
	_, err = run.Command(ctx, run.Cmd{
		Name: e.Program, Args: e.Arguments(b, idFile), Dir: b.Context, Env: []string{"BUILDKIT_PROGRESS=plain"},
		Stdout: out, Stderr: out, Grace: endTime,
	})
	var exit *exec.ExitError
	switch {
	case err == nil:
		return readID(idFile)
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.As(err, &exit):
		return "", fmt.Errorf("%w: %s ended with %s", ErrFailed, e.Name, exit.ProcessState)
	}
	return "", printableError(err)
}

// readID reads the id of an image: a sha256 in hex, with or without its name.
func readID(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the id of the image: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return "", fmt.Errorf("reading the id of the image: %w", err)
	}
	id := strings.TrimPrefix(strings.TrimSpace(string(text)), "sha256:")
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(id) {
		return "", fmt.Errorf("reading the id of the image: %q is none", text)
	}
	return id, nil
}

// Save returns an image of the engine as an archive of docker save, as it
// comes. It is to be read to its end and closed. Nothing is known of what it
// holds.
func (e Engine) Save(ctx context.Context, id string) (io.ReadCloser, error) {
	argv := []string{"save", id} // docker-save(1), podman-save(1)
	if e.Name == "buildah" {
		argv = []string{"push", "--quiet", id, "docker-archive:/dev/stdout"} // buildah-push(1)
	}
	out, err := run.Stream(ctx, run.Cmd{Name: e.Program, Args: argv, Grace: endTime})
	if err != nil {
		return nil, printableError(err)
	}
	return saved{out}, nil
}

// saved makes what a program says in its errors printable.
type saved struct{ *run.Output }

// Read implements io.Reader.
func (s saved) Read(p []byte) (int, error) {
	n, err := s.Output.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = printableError(err)
	}
	return n, err
}

// lockedWriter lets both outputs of a program be written to one place.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
