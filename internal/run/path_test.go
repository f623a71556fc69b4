package run_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"banger/internal/run"
)

// Not parallel: PATH is the process's.
func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "e2fsck")
	if err := os.WriteFile(own, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if path, err := run.LookPath("e2fsck"); err != nil || path != own {
		t.Errorf("PATH comes first: %q, %v", path, err)
	}
	for _, name := range []string{"no-such-program", "/usr/sbin/no-such-program", "./e2fsck-in-no-directory", "sbin/e2fsck"} {
		if path, err := run.LookPath(name); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s: %q, %v", name, path, err)
		}
	}
}

// TestLookPathOfAdministrators: e2fsck is there for users whose PATH has no sbin.
func TestLookPathOfAdministrators(t *testing.T) {
	const program = "/usr/sbin/e2fsck"
	if _, err := os.Stat(program); err != nil {
		t.Skip(err)
	}
	t.Setenv("PATH", t.TempDir())
	if path, err := run.LookPath("e2fsck"); err != nil || path != program {
		t.Errorf("%q, %v", path, err)
	}
}
