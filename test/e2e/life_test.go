package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"banger/internal/model"
)

// show returns a VM as banger knows it.
func (h *home) show(t *testing.T, name string) model.VM {
	t.Helper()
	var vm model.VM
	if err := json.Unmarshal([]byte(h.ok(t, "vm", "show", "--json", name)), &vm); err != nil {
		t.Fatal(err)
	}
	return vm
}

// TestRunLeavesNothing compares all that is there before and after run --rm,
// however it ends.
func TestRunLeavesNothing(t *testing.T) {
	h := needWorld(t).home
	before := h.traces(t)
	t.Run("with its status", func(t *testing.T) {
		if r := h.try(t, "run", "--rm", "busybox", "--", "sh", "-c", "exit 7"); r.code != 7 {
			t.Errorf("want exit code 7, got %s", r)
		}
		h.unchanged(t, before)
	})
	t.Run("after control-C", func(t *testing.T) {
		ctx := boundedContext(t)
		cmd := h.command(ctx, "run", "--rm", "busybox", "--", "sh", "-c", "echo ready; exec sleep 600")
		startAndWaitFor(t, cmd, "ready", new(strings.Builder))
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its status is looked at
		if code := cmd.ProcessState.ExitCode(); code != 130 {
			t.Errorf("exit code %d, want 130", code)
		}
		h.unchanged(t, before)
	})
	t.Run("after its client was killed", func(t *testing.T) {
		ctx := boundedContext(t)
		cmd := h.command(ctx, "run", "--rm", "busybox", "--", "sh", "-c", "echo ready; exec sleep 600")
		startAndWaitFor(t, cmd, "ready", new(strings.Builder))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		h.unchanged(t, before)
	})
	t.Run("with a command that is not there", func(t *testing.T) {
		if r := h.try(t, "run", "--rm", "busybox", "--", "nothing"); r.code != 127 {
			t.Errorf("want exit code 127, got %s", r)
		}
		h.unchanged(t, before)
	})
}

// TestRunKeeps: without --rm the VM is kept, stopped, and starts again.
func TestRunKeeps(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	h.ok(t, "run", "--name", "kept", "busybox", "--", "sh", "-c", "echo mine >/root/file")
	h.removeAfter(t, "kept")
	eventually(t, func() string {
		if state := h.show(t, "kept").State; state != model.VMStopped {
			return "the VM is " + string(state)
		}
		return ""
	})
	if got := h.guest(t, "kept", "cat /root/file"); got != "mine" {
		t.Errorf("the file holds %q", got)
	}
}

// TestStopAndStart: files survive, whatever way the guest goes down.
func TestStopAndStart(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	h.vm(t, "again", "busybox")
	boot := func() string { return h.guest(t, "again", "cat /proc/sys/kernel/random/boot_id") }
	h.guest(t, "again", "echo kept >/root/file")
	for _, down := range [][]string{{"stop", "again"}, {"restart", "again"}} {
		before := boot()
		h.ok(t, down...)
		if down[0] == "stop" {
			if vm := h.show(t, "again"); vm.State != model.VMStopped || len(h.pids("qemu")) > 0 && vm.Runtime.Process.PID != 0 {
				t.Errorf("after stop: state %q, process %d", vm.State, vm.Runtime.Process.PID)
			}
			h.ok(t, "start", "again")
		}
		if boot() == before {
			t.Errorf("%s: the guest has not booted anew", down[0])
		}
		if got := h.guest(t, "again", "cat /root/file"); got != "kept" {
			t.Errorf("%s: the file holds %q", down[0], got)
		}
	}
	h.guest(t, "again", "sync")
	h.ok(t, "kill", "again")
	h.ok(t, "start", "again")
	if got := h.guest(t, "again", "cat /root/file"); got != "kept" {
		t.Errorf("after kill: the file holds %q", got)
	}
}

// TestShape: what the flags of run say is what the guest has.
func TestShape(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	got := h.ok(t, "run", "--rm", "--disk", "2G", "-m", "384M", "-c", "2", "--hostname", "shaped", "--network", "none",
		"busybox", "--", "sh", "-c",
		`df -k / | tail -n 1; cat /proc/meminfo | head -n 1; ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l; hostname; ls /sys/class/net`)
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 5 {
		t.Fatalf("got %q, want 5 lines", got)
	}
	number := func(line string) int {
		n, err := strconv.Atoi(strings.Fields(line)[1])
		if err != nil {
			t.Errorf("no number in %q", line)
		}
		return n
	}
	if kib := number(lines[0]); kib < 1800<<10 || kib > 2<<20 {
		t.Errorf("disk of %d KiB, want nearly 2 GiB", kib)
	}
	if kib := number(lines[1]); kib < 280<<10 || kib > 384<<10 {
		t.Errorf("memory of %d KiB, want nearly 384 MiB", kib)
	}
	if lines[2] != "2" || lines[3] != "shaped" || lines[4] != "lo" {
		t.Errorf("CPUs, host name, networks: %q, want 2, shaped and lo", lines[2:])
	}
}

// TestDetachedRun: run -d leaves a VM that works, is listed and has a log.
func TestDetachedRun(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	name := strings.TrimSpace(h.ok(t, "run", "-d", "--name", "service", "busybox", "--",
		"sh", "-c", "echo started; while :; do echo x >>/tmp/count; sleep 0.1; done"))
	h.removeAfter(t, "service")
	if name != "service" {
		t.Errorf("run -d prints %q, want the name", name)
	}
	var vms []model.VM
	if err := json.Unmarshal([]byte(h.ok(t, "ps", "--json")), &vms); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, vm := range vms {
		found = found || vm.Name == "service" && vm.State == model.VMRunning && vm.Image == "busybox"
	}
	if !found {
		t.Errorf("ps does not list it as running: %+v", vms)
	}
	eventually(t, func() string {
		if !strings.Contains(h.ok(t, "logs", "service"), "started") {
			return "its output is not in the log"
		}
		if h.guest(t, "service", "cat /tmp/count | wc -l") == "0" {
			return "it does not count"
		}
		return ""
	})
	if r := h.try(t, "rm", "service"); r.code != 4 || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("deleting what runs: want exit code 4 and a hint, got %s", r)
	}
}

// TestTwoVMs: one image, two guests that share nothing.
func TestTwoVMs(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	h.vm(t, "left", "busybox")
	h.vm(t, "right", "busybox")
	for _, name := range []string{"left", "right"} {
		if got := h.guest(t, name, "echo $(hostname) >/root/who; sync; cat /root/who"); got != name {
			t.Errorf("%s is called %q", name, got)
		}
	}
	if got := h.guest(t, "left", "cat /root/who"); got != "left" {
		t.Errorf("left has the file of %q", got)
	}
	if r := h.try(t, "image", "rm", "busybox"); r.code != 4 || !strings.Contains(r.stderr, "left") {
		t.Errorf("deleting the image in use: want exit code 4 and the VMs' names, got %s", r)
	}
}

// TestGuestPowersOff: a guest that switches itself off is stopped, and says so.
func TestGuestPowersOff(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	h.vm(t, "off", "busybox")
	r := h.try(t, "exec", "off", "--", "busybox", "poweroff", "-f")
	if r.code != 125 {
		t.Errorf("exec in a guest that goes: want exit code 125, got %s", r)
	}
	eventually(t, func() string {
		if state := h.show(t, "off").State; state != model.VMStopped {
			return "the VM is " + string(state)
		}
		return ""
	})
}
