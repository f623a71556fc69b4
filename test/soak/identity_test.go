package soak

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/store"
	"banger/test/report"
)

// TestAnotherProcessIsNeverSignalled: while no daemon runs a VM ends and
// another process gets its number. The next daemon sees that the VM is gone,
// is told to kill and to delete it, and the other process goes on.
func TestAnotherProcessIsNeverSignalled(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	if err := os.WriteFile(lastPID, []byte("1"), 0); err != nil {
		t.Skipf("choosing the number of a process: %v", err)
	}
	trials, hit := shared.pick(10, 500), 0
	for range trials {
		h.must(h.startNew("v"))
		pid := h.processOf("v")
		h.kill()
		h.signal(pid, syscall.SIGKILL)
		h.await("the VM's process is gone", func() bool { return syscall.Kill(pid, 0) != nil })
		decoy := startAs(t, pid)
		h.boot("")
		if h.has("v", model.VMRunning, model.VMUnknown) {
			t.Error("the decoy is taken for the VM")
		}
		h.must(h.killVM("v"))
		h.must(h.deleteVM("v"))
		if decoy == nil {
			continue
		}
		hit++
		if !alive(decoy) {
			t.Fatal("the decoy was signalled")
		}
		_ = decoy.Process.Kill()
		_ = decoy.Wait()
	}
	if diff := h.settled(clean); diff != "" {
		t.Errorf("left over: %s", diff)
	}
	if hit == 0 {
		t.Error("no decoy got the number of a VM's process")
	}
	shared.tell(report.Figure("decoys with the pid of a VM", float64(hit), "decoys"))
	shared.tell(report.Figure("decoys signalled", 0, "decoys").Against(0))
}

// lastPID is where the kernel takes the number before the next process's from
// (proc_sys_kernel(5)).
const lastPID = "/proc/sys/kernel/ns_last_pid"

// startAs starts a process with that number, or returns nil when others were
// always faster.
func startAs(t *testing.T, pid int) *exec.Cmd {
	t.Helper()
	for range 50 {
		if syscall.Kill(pid, 0) == nil {
			return nil // somebody else has it: a decoy that is not ours
		}
		if err := os.WriteFile(lastPID, fmt.Append(nil, pid-1), 0); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sleep", "600")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if cmd.Process.Pid == pid {
			return cmd
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return nil
}

// alive tells whether a child has not ended.
func alive(cmd *exec.Cmd) bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	return err == nil && pid == 0
}

// TestHostRebooted: the row of a VM that ran names a process of another boot,
// and a process of this one has its number and even its start time.
func TestHostRebooted(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	h.must(h.startNew("v"))
	pid := h.processOf("v")
	h.kill()
	h.signal(pid, syscall.SIGKILL)
	h.await("the VM's process is gone", func() bool { return syscall.Kill(pid, 0) != nil })
	decoy := exec.CommandContext(t.Context(), "sleep", "600")
	h.must(decoy.Start())
	h.pretend("v", decoy.Process.Pid, "00000000-0000-0000-0000-000000000000")
	begun := time.Now()
	h.boot("")
	took := time.Since(begun)
	if !h.has("v", model.VMStopped) {
		t.Error("a VM of an earlier boot is not stopped")
	}
	h.must(h.startVM("v"))
	h.clear()
	if !alive(decoy) {
		t.Error("a process of this boot was ended for one of another")
	}
	if diff := h.settled(clean); diff != "" {
		t.Errorf("left over: %s", diff)
	}
	shared.time(report.Figure("start of the daemon after a reboot", took.Seconds(), "s").Against(2))
}

// pretend makes the row of a VM, while no daemon runs, name another process.
func (h *home) pretend(name string, pid int, boot string) {
	h.t.Helper()
	db, err := store.Open(h.t.Context(), h.paths.DB())
	h.must(err)
	defer db.Close()
	row, err := db.VM(h.t.Context(), name)
	h.must(err)
	id, err := proc.Identify(pid)
	h.must(err)
	id.BootID = boot
	_, err = db.UpdateVM(h.t.Context(), row.ID, func(vm *model.VM) error {
		vm.Runtime.Process = id
		return nil
	})
	h.must(err)
}
