// Package e2e tests banger as its users see it: the built programs, a real
// registry, real images, real guests. What a test needs and does not find is
// named and skipped; with BANGER_E2E=1, as make test sets it, it is a failure.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// images are the layouts that test/images/make.sh makes; each is pulled under
// its own name.
var images = []string{"debian-multi", "busybox", "busybox-zstd", "nonroot", "distroless"}

// world is what all tests share.
type world struct {
	bin      string // directory of the built programs
	layouts  string // directory of the images
	registry *registry
	home     *home // has every image and the default kernel
}

// shared is set by TestMain; nil when something is missing.
var shared *world

// missing says what the tests cannot run without.
var missing error

func TestMain(m *testing.M) {
	// Under nohup SIGHUP is ignored, which programs that are started inherit,
	// and which banger honours. A signal that is caught is not.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	w, err := findParts()
	if err != nil {
		if os.Getenv("BANGER_E2E") == "1" {
			return 1, err
		}
		missing = err
		return m.Run(), nil
	}
	if w.registry, err = startRegistry(ctx, ""); err != nil {
		return 1, err
	}
	defer w.registry.stop()
	if w.home, err = newHome(w.bin); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, w.home.destroy()) }()
	if err := w.fill(ctx); err != nil {
		return 1, err
	}
	shared = w
	return m.Run(), nil
}

// findParts looks for all that make test provides.
func findParts() (*world, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	w := &world{bin: filepath.Join(root, "build/bin"), layouts: filepath.Join(root, "build/images/layouts")}
	for _, program := range []string{"banger", "bangerd", "banger-agent"} {
		if _, err := os.Stat(filepath.Join(w.bin, program)); err != nil {
			return nil, fmt.Errorf("%w (make build)", err)
		}
	}
	if _, err := os.Stat(w.layouts); err != nil {
		return nil, fmt.Errorf("%w (make images)", err)
	}
	for _, tool := range []string{"qemu-system-x86_64", "docker-registry", "skopeo"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w (make setup)", err)
		}
	}
	return w, nil
}

// fill pushes every image to the registry and pulls them and the kernel from
// where a user would.
func (w *world) fill(ctx context.Context) error {
	if r := w.home.run(ctx, "kernel", "pull"); r.code != 0 {
		return fmt.Errorf("pulling the default kernel: %s", r)
	}
	for _, name := range images {
		if err := w.registry.push(ctx, filepath.Join(w.layouts, name), name); err != nil {
			return err
		}
		if r := w.home.run(ctx, "image", "pull", w.registry.ref(name), "--name", name); r.code != 0 {
			return fmt.Errorf("pulling %s: %s", name, r)
		}
	}
	return nil
}

// needWorld returns what the tests share, or skips.
func needWorld(t *testing.T) *world {
	t.Helper()
	if missing != nil {
		t.Skip(missing)
	}
	return shared
}
