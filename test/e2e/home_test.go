package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit bounds every command that has no limit of its own.
const limit = 3 * time.Minute

// home is a BANGER_HOME and the way to run banger in it.
type home struct {
	dir    string
	bin    string
	env    []string // over the tests' own environment
	prefix []string // a command that runs banger, such as setpriv
}

// newHome makes an empty home. Its path is short: sockets live below it.
func newHome(bin string) (*home, error) {
	dir, err := os.MkdirTemp("/tmp", "bg")
	if err != nil {
		return nil, err
	}
	return &home{dir: dir, bin: bin, env: []string{"BANGER_HOME=" + dir, "HOME=" + dir}}, nil
}

// freshHome is a home of t alone, which it is destroyed with.
func freshHome(t *testing.T) *home {
	t.Helper()
	h, err := newHome(needWorld(t).bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.destroy(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// destroy ends all that runs in the home and removes it. Anything that does
// not end when asked is an error.
func (h *home) destroy() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if len(h.processes()) > 0 {
		if names := strings.Fields(h.run(ctx, "ps", "-q").stdout); len(names) > 0 {
			if r := h.run(ctx, append([]string{"rm", "-f"}, names...)...); r.code != 0 {
				errs = append(errs, fmt.Errorf("deleting the VMs of %s: %s", h.dir, r))
			}
		}
		if r := h.run(ctx, "system", "shutdown"); r.code != 0 {
			errs = append(errs, fmt.Errorf("ending the daemon of %s: %s", h.dir, r))
		}
	}
	if left := h.waitForSilence(10 * time.Second); len(left) > 0 {
		errs = append(errs, fmt.Errorf("processes of %s are left: %v", h.dir, left))
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		h.waitForSilence(5 * time.Second)
	}
	return errors.Join(append(errs, os.RemoveAll(h.dir))...)
}

// waitForSilence returns the processes that still run after limit.
func (h *home) waitForSilence(limit time.Duration) []process {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		if left := h.processes(); len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// result is how a command ended.
type result struct {
	code           int // -1: it was killed at its limit, or did not start
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s\n--- stderr\n%s", r.code, r.stdout, r.stderr)
}

// command is banger with args, killed when ctx ends.
func (h *home) command(ctx context.Context, args ...string) *exec.Cmd {
	argv := append(append([]string{}, h.prefix...), filepath.Join(h.bin, "banger"))
	argv = append(argv, args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(plainEnviron(), h.env...)
	cmd.Dir = "/"
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// plainEnviron is the environment without what leads to the user's own things.
func plainEnviron() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BANGER_") && !strings.HasPrefix(v, "XDG_") &&
			!strings.HasPrefix(v, "DOCKER_CONFIG=") && !strings.HasPrefix(v, "REGISTRY_AUTH_FILE=") {
			env = append(env, v)
		}
	}
	return env
}

// run runs banger without input.
func (h *home) run(ctx context.Context, args ...string) result {
	return finish(h.command(ctx, args...), nil)
}

// finish runs cmd to its end.
func finish(cmd *exec.Cmd, stdin io.Reader) result {
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(&stderr, "\n%v", err)
	}
	code := -1
	if cmd.ProcessState != nil {
		code = cmd.ProcessState.ExitCode()
	}
	return result{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// try runs banger within the usual limit.
func (h *home) try(t *testing.T, args ...string) result {
	t.Helper()
	r := h.run(boundedContext(t), args...)
	if r.code == -1 {
		t.Fatalf("banger %s was killed: %s", strings.Join(args, " "), r)
	}
	return r
}

// boundedContext ends with the test, and at the usual limit.
func boundedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// ok runs banger, which must succeed, and returns its standard output.
func (h *home) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := h.try(t, args...)
	if r.code != 0 {
		t.Fatalf("banger %s: %s", strings.Join(args, " "), r)
	}
	return r.stdout
}

// guest runs a shell command in a VM and returns what it prints, without the
// space around it.
func (h *home) guest(t *testing.T, vm, script string) string {
	t.Helper()
	return strings.TrimSpace(h.ok(t, "exec", vm, "--", "sh", "-c", script))
}

// vm makes a running VM of t alone.
func (h *home) vm(t *testing.T, name, image string, flags ...string) {
	t.Helper()
	h.ok(t, append(append([]string{"create", "--start", "--name", name}, flags...), image)...)
	h.removeAfter(t, name)
}

// removeAfter deletes a VM when t ends.
func (h *home) removeAfter(t *testing.T, name string) {
	t.Helper()
	t.Cleanup(func() { // t.Context has ended by then
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if r := h.run(ctx, "rm", "-f", name); r.code != 0 && r.code != 3 {
			t.Errorf("deleting %s: %s", name, r)
		}
	})
}

// eventually waits until is returns "", which names what is not so yet.
func eventually(t *testing.T, is func() string) {
	t.Helper()
	last := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = is(); last == "" {
			return
		}
	}
	t.Fatalf("still after 30 s: %s", last)
}
