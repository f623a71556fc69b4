package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"banger/internal/model"
)

// TestVerbsOfAVM takes one VM through all verbs that act on one that runs.
func TestVerbsOfAVM(t *testing.T) {
	h := needWorld(t).home
	h.vm(t, "verbs", "busybox", "--label", "e2e=verbs")
	h.guest(t, "verbs", "(nc -ll -p 9090 -e cat >/dev/null 2>&1 &)")

	if out := h.ok(t, "health", "verbs"); !strings.Contains(out, "healthy") {
		t.Errorf("health: %s", out)
	}
	eventually(t, func() string {
		if out := h.ok(t, "ports", "-q", "verbs"); !strings.Contains(out, ":9090") {
			return "no port 9090 in " + out
		}
		return ""
	})
	if out := h.ok(t, "ports", "verbs"); !regexp.MustCompile(`9090 .*(nc|busybox) \([0-9]+\)`).MatchString(out) {
		t.Errorf("ports does not say who listens:\n%s", out)
	}
	var stats []model.VMStats
	if err := json.Unmarshal([]byte(h.ok(t, "stats", "--no-stream", "--json", "verbs")), &stats); err != nil {
		t.Fatal(err)
	}
	if len(stats) != 1 || stats[0].CPUSeconds <= 0 || stats[0].MemoryBytes <= 0 || len(stats[0].Disks) == 0 ||
		stats[0].Disks[0].ReadBytes == 0 || stats[0].Guest == nil || stats[0].Guest.MemoryTotalBytes == 0 {
		t.Errorf("stats: %+v", stats)
	}

	h.ok(t, "pause", "verbs")
	if r := h.try(t, "exec", "verbs", "true"); r.code != 125 || !strings.Contains(r.stderr, "banger resume verbs") {
		t.Errorf("exec in a paused VM: %s", r)
	}
	h.ok(t, "resume", "--filter", "label=e2e=verbs")
	h.ok(t, "rename", "verbs", "renamed")
	h.removeAfter(t, "renamed")
	if out := h.ok(t, "exec", "renamed", "echo", "on"); out != "on\n" {
		t.Errorf("after all that: %q", out)
	}
	h.consoleEchoes(t, "renamed")

	h.ok(t, "set", "-m", "384M", "renamed")
	h.ok(t, "restart", "-t", "0", "renamed")
	if vm := h.show(t, "renamed"); vm.Spec.MemoryMiB != 384 || vm.State != model.VMRunning {
		t.Errorf("after set: %+v", vm)
	}
	h.ok(t, "stop", "-t", "0", "renamed")
	h.ok(t, "wait", "renamed")
	if out := h.ok(t, "prune", "--force", "--filter", "label=e2e=verbs"); out != "renamed\n" {
		t.Errorf("prune: %q", out)
	}
	events := h.ok(t, "events", "--no-follow", "--filter", "noun=vm", "--filter", "name=renamed")
	for _, action := range []string{" renamed (was verbs)", " stopped", " deleted"} {
		if !strings.Contains(events, "vm renamed"+action) {
			t.Errorf("no event%q in:\n%s", action, events)
		}
	}
}

// consoleEchoes types on a console that a shell of the guest reads.
func (h *home) consoleEchoes(t *testing.T, vm string) {
	t.Helper()
	h.guest(t, vm, "(while read -r l; do echo got $l; done </dev/ttyS0 >/dev/ttyS0 2>&1 &)")
	cmd := h.command(boundedContext(t), "console", vm)
	typed, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = typed.Write([]byte("hello\n")) }()  // read once it is attached
	startAndWaitFor(t, cmd, "hello", new(strings.Builder)) // what the terminal itself echoes
	eventually(t, func() string {
		if log := h.ok(t, "logs", "-n", "5", vm); !strings.Contains(log, "got hello") {
			return "the console's file is " + log
		}
		return ""
	})
	if _, err := typed.Write([]byte("\x10\x11")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after detaching: %v", err)
	}
}
