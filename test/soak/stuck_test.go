package soak

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/report"
)

// TestStuckVMHoldsUpNobody stops a VM's process with SIGSTOP, so that its
// monitor takes connections and never answers: other VMs answer within a
// second, also while the daemon starts; the VM is unknown and left alone until
// it goes on, or until somebody kills it.
func TestStuckVMHoldsUpNobody(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	for _, name := range []string{"stuck", "well"} {
		h.must(h.startNew(name))
	}
	pid := h.processOf("stuck")
	h.signal(pid, syscall.SIGSTOP)
	slowest := h.slowestCall()

	h.kill()
	begun := time.Now()
	h.boot("")
	h.must(h.exec("well"))
	restart := time.Since(begun)
	slowest = max(slowest, h.slowestCall())
	if !h.has("stuck", model.VMUnknown) {
		t.Error("a VM that does not answer is not unknown")
	}

	h.signal(pid, syscall.SIGCONT)
	h.await("the VM is found when it goes on", func() bool { return h.has("stuck", model.VMRunning) })
	h.must(h.exec("stuck"))

	h.signal(pid, syscall.SIGSTOP)
	h.kill()
	h.boot("")
	h.must(h.killVM("stuck"))
	if !h.has("stuck", model.VMStopped) || slices.Contains(h.processes(), pid) {
		t.Error("a stuck VM cannot be killed")
	}
	h.clear()
	if diff := h.settled(clean); diff != "" {
		t.Errorf("left over: %s", diff)
	}
	shared.time(report.Figure("slowest call beside a stuck VM", slowest.Seconds(), "s").Against(1))
	shared.time(report.Figure("a VM answers after a restart beside a stuck one", restart.Seconds(), "s").Against(2))
}

// slowestCall does what users do to a VM that is well.
func (h *home) slowestCall() (slowest time.Duration) {
	h.t.Helper()
	for _, call := range []func() error{
		func() error { return h.exec("well") },
		func() error { _, err := h.ListVMSummaries(h.t.Context()); return err },
		func() error { return h.stopVM("well") },
		func() error { return h.startVM("well") },
	} {
		begun := time.Now()
		h.must(call())
		slowest = max(slowest, time.Since(begun))
	}
	return slowest
}

// exec runs a process in a VM that must be up.
func (h *home) exec(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	var out bytes.Buffer
	status, err := h.ExecVM(ctx, rpc.VMExecParams{Name: name, Argv: []string{"/bin/echo", "here"}, NoStart: true}, rpc.Stdio{Stdout: &out}, model.Discard)
	if err == nil && (status.Code != 0 || out.String() != "here\n") {
		err = fmt.Errorf("exit %d, %q", status.Code, &out)
	}
	return err
}

// processOf returns the pid of a VM's process.
func (h *home) processOf(name string) int {
	h.t.Helper()
	vm, err := h.ShowVM(h.t.Context(), rpc.NameParams{Name: name})
	h.must(err)
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", vm.Runtime.Process.PID))
	h.must(err)
	if !strings.Contains(string(args), vm.ID) {
		h.t.Fatalf("process %d is not that of %s", vm.Runtime.Process.PID, name)
	}
	return vm.Runtime.Process.PID
}

func (h *home) signal(pid int, sig syscall.Signal) {
	h.t.Helper()
	h.must(syscall.Kill(pid, sig))
}

func (h *home) await(what string, done func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("it has not come true that %s", what)
		}
	}
}
