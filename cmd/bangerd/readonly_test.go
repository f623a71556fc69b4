package main

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/ownmounts"
)

// TestReadOnlyState: a daemon whose state cannot be written to does not start,
// says so and what to do, and the same state serves again when it can.
func TestReadOnlyState(t *testing.T) {
	if !ownmounts.Run(t) {
		return
	}
	for _, what := range []string{"state", "the database"} {
		paths := testPaths(t)
		_, pid := ensure(t, paths)
		end(t, pid, syscall.SIGTERM)
		at := paths.State
		if what == "the database" {
			at = paths.DB()
		}
		bind(t, at)
		_, err := rpc.Ensure(t.Context(), paths, self(t))
		if err == nil || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(model.HintOf(err), "BANGER_HOME") {
			t.Errorf("%s is read-only: %v (%s)", what, err, model.HintOf(err))
		}
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		_, pid = ensure(t, paths)
		end(t, pid, syscall.SIGTERM)
	}
}

// bind makes a file or directory read-only.
func bind(t *testing.T, at string) {
	t.Helper()
	if err := unix.Mount(at, at, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}
