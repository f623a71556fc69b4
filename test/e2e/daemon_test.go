package e2e

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

// TestDaemonIsKilled: guests do not notice that the daemon dies, and the next
// command finds the same guest again.
func TestDaemonIsKilled(t *testing.T) {
	h := needWorld(t).home // not parallel: every test shares this daemon
	h.vm(t, "survivor", "busybox")
	h.ok(t, "exec", "-d", "survivor", "--", "sh", "-c", "while :; do echo x >>/tmp/count; sleep 0.1; done")
	boot := h.guest(t, "survivor", "cat /proc/sys/kernel/random/boot_id")
	before, beforeKill := h.show(t, "survivor").Runtime.Process, h.count(t)

	ctx := boundedContext(t)
	session := h.command(ctx, "exec", "survivor", "--", "sh", "-c", "echo ready; exec sleep 600")
	startAndWaitFor(t, session, "ready", new(strings.Builder))
	h.killDaemon(t)
	_ = session.Wait() // its status is looked at
	if code := session.ProcessState.ExitCode(); code != 125 {
		t.Errorf("the session ends with %d, want 125", code)
	}

	vm := h.show(t, "survivor")
	if diff := cmp.Diff(before, vm.Runtime.Process); diff != "" || vm.State != model.VMRunning {
		t.Errorf("state %q, process (-before +after)\n%s", vm.State, diff)
	}
	if got := h.guest(t, "survivor", "cat /proc/sys/kernel/random/boot_id"); got != boot {
		t.Error("the guest has booted anew")
	}
	eventually(t, func() string {
		if h.count(t) <= beforeKill {
			return "the guest's process does not count on"
		}
		return ""
	})
	h.ok(t, "stop", "survivor")
}

// TestDaemonEndsAndStarts: system shutdown ends the daemon alone.
func TestDaemonEndsAndStarts(t *testing.T) {
	h := needWorld(t).home // not parallel: every test shares this daemon
	h.vm(t, "stays", "busybox")
	before := h.show(t, "stays").Runtime.Process
	h.ok(t, "system", "shutdown")
	eventually(t, func() string {
		if len(h.pids("bangerd")) > 0 {
			return "the daemon still runs"
		}
		return ""
	})
	if diff := cmp.Diff(before, h.show(t, "stays").Runtime.Process); diff != "" {
		t.Errorf("process (-before +after)\n%s", diff)
	}
	if got := h.guest(t, "stays", "echo here"); got != "here" {
		t.Errorf("the guest says %q", got)
	}
}

// count is how far the guest's process has counted.
func (h *home) count(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(strings.Fields(h.guest(t, "survivor", "wc -l </tmp/count"))[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killDaemon kills the home's daemon and waits until it is gone.
func (h *home) killDaemon(t *testing.T) {
	t.Helper()
	pids := h.pids("bangerd")
	if len(pids) != 1 {
		t.Fatalf("daemons: %v, want one", pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if len(h.pids("bangerd")) > 0 {
			return "the daemon is still there"
		}
		return ""
	})
}
