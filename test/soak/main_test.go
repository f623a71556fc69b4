package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"banger/test/report"
)

// world is what all tests share.
type world struct {
	bin     string // directory of the built programs
	layouts string // directory of the test images
	path    string // PATH in which QEMU is the stand-in
	full    bool

	mu   sync.Mutex
	rows []report.Row

	failed bool // a bar that is no time was not met
}

// shared is set by TestMain; nil: the tests are skipped.
var shared *world

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	form := os.Getenv("BANGER_SOAK")
	if form == "" {
		return m.Run(), nil
	}
	w, err := findParts()
	if err != nil {
		return 1, err
	}
	w.full = form != "short"
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := buildStandin(dir); err != nil {
		return 1, err
	}
	w.path = dir + ":" + os.Getenv("PATH")
	shared = w
	code = m.Run()
	if !report.Print(os.Stdout, w.rows) && (w.full || w.failed) {
		code = 1
	}
	return code, report.WriteJSON("../../build/bench/soak.json", w.rows)
}

func findParts() (*world, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	w := &world{bin: filepath.Join(root, "build/bin"), layouts: filepath.Join(root, "build/images/layouts")}
	if _, err := os.Stat(filepath.Join(w.bin, "bangerd")); err != nil {
		return nil, fmt.Errorf("%w (make build)", err)
	}
	if _, err := os.Stat(w.layouts); err != nil {
		return nil, fmt.Errorf("%w (make images)", err)
	}
	return w, nil
}

// buildStandin puts the stand-in into dir under QEMU's name.
func buildStandin(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "qemu-system-x86_64"), "./standin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the stand-in: %w: %s", err, out)
	}
	return nil
}

// needWorld returns what the tests share, or skips.
func needWorld(t *testing.T) *world {
	t.Helper()
	if shared == nil {
		t.Skip("BANGER_SOAK is not set: make soak")
	}
	return shared
}

// pick returns the short form's size or the full one's.
func (w *world) pick(short, full int) int {
	if w.full {
		return full
	}
	return short
}

// tell adds a figure to the report.
func (w *world) tell(row report.Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rows = append(w.rows, row)
	w.failed = w.failed || !row.Met
}

// time adds a figure that depends on what else the host does: in the short
// form it is told, and fails nothing.
func (w *world) time(row report.Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rows = append(w.rows, row)
}
