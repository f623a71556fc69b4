package vm_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// withPolicy makes a VM that runs.
func (r *rig) withPolicy(name string, p model.Policy) model.VM {
	r.t.Helper()
	v, err := r.CreateVM(r.t.Context(), rpc.VMCreateParams{Image: "app", Name: name, Start: true, Policy: p}, model.Discard)
	if err != nil {
		r.t.Fatalf("creating %s: %v", name, err)
	}
	return v
}

func (r *rig) show(name string) model.VM {
	r.t.Helper()
	v, err := r.ShowVM(r.t.Context(), rpc.NameParams{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// endOnce ends the VM's guest as its own doing.
func (r *rig) endOnce(v model.VM, reason vmm.ExitReason) {
	r.t.Helper()
	r.fake.Guest(v.ID).End(reason)
	awaitTrue(r.t, "the end is seen", func() bool { return r.show(v.Name).Runtime.Generation != v.Runtime.Generation })
}

func (r *rig) awaitBack(v model.VM) model.VM {
	r.t.Helper()
	awaitTrue(r.t, v.Name+" is back", func() bool {
		now := r.show(v.Name)
		return now.State == model.VMRunning && now.Runtime.Generation != v.Runtime.Generation
	})
	return r.show(v.Name)
}

func TestComesBack(t *testing.T) {
	t.Parallel()
	const no, onFailure, always, unless = model.RestartNo, model.RestartOnFailure, model.RestartAlways, model.RestartUnlessStopped
	for _, tc := range []struct {
		policy model.RestartPolicy
		end    model.EndKind
		then   bool // right then
		later  bool // as a daemon starts
	}{
		{"", model.EndFailure, false, false},
		{no, model.EndFailure, false, false},
		{onFailure, model.EndFailure, true, true},
		{onFailure, model.EndPoweroff, false, false},
		{onFailure, model.EndAsked, false, false},
		{onFailure, "", false, false},
		{always, model.EndFailure, true, true},
		{always, model.EndPoweroff, true, true},
		{always, model.EndAsked, false, true},
		{always, "", false, false},
		{unless, model.EndFailure, true, true},
		{unless, model.EndPoweroff, true, true},
		{unless, model.EndAsked, false, false},
	} {
		p := model.Policy{Restart: tc.policy}
		if then, later := p.ComesBack(tc.end, 3, false), p.ComesBack(tc.end, 3, true); then != tc.then || later != tc.later {
			t.Errorf("%s after %q: then %v, later %v", tc.policy, tc.end, then, later)
		}
	}
	limited := model.Policy{Restart: onFailure, MaxRestarts: 3}
	if !limited.ComesBack(model.EndFailure, 2, false) || limited.ComesBack(model.EndFailure, 3, false) {
		t.Error("the largest number of restarts is not kept")
	}
}

func TestRestartAfterFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.withPolicy("web", model.Policy{Restart: model.RestartOnFailure})
	r.endOnce(v, vmm.ExitReset)
	back := r.awaitBack(v)
	if back.Restarts != 1 {
		t.Errorf("%d restarts", back.Restarts)
	}
	r.endOnce(back, vmm.ExitPoweroff)
	awaitTrue(t, "it stays off", func() bool { return r.state("web") == model.VMStopped && r.show("web").Ended == model.EndPoweroff })
}

// TestStopEndsComeback: while a VM waits to come back, a stop keeps it down.
func TestStopEndsComeback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.withPolicy("web", model.Policy{Restart: model.RestartAlways})
	r.endOnce(v, vmm.ExitReset)
	stopped, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if stopped.Ended != model.EndAsked || r.fake.Running() != 0 {
		t.Errorf("%+v, %d processes", stopped, r.fake.Running())
	}
	r.restart() // always: a new daemon brings it back all the same
	r.awaitBack(stopped)
}

func TestUnlessStoppedStaysStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.withPolicy("stopped", model.Policy{Restart: model.RestartUnlessStopped})
	failed := r.withPolicy("failed", model.Policy{Restart: model.RestartUnlessStopped})
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "stopped"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	r.Close() // nobody sees how the other one ends
	r.fake.Guest(failed.ID).End(vmm.ExitReset)
	r.restart()
	r.awaitBack(failed)
	if got := r.state("stopped"); got != model.VMStopped {
		t.Errorf("the stopped VM is %s", got)
	}
}

// TestFailingComebackGivesUp: boots that fail count, up to the policy's limit.
func TestFailingComebackGivesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.withPolicy("web", model.Policy{Restart: model.RestartOnFailure, MaxRestarts: 2})
	r.fake.SetFaults(vmmtest.Faults{Die: vmmtest.DieAtStart})
	r.endOnce(v, vmm.ExitReset)
	awaitTrue(t, "it is given up", func() bool {
		now := r.show("web")
		return now.State == model.VMFailed && now.Restarts == 2 && now.Ended == model.EndFailure
	})
	r.fake.SetFaults(vmmtest.Faults{})
	if started, err := r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard); err != nil || started.State != model.VMRunning {
		t.Errorf("a start by hand: %s, %v", started.State, err)
	}
}

func TestDetachedCommandComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := t.TempDir() + "/ran"
	_, err := r.RunVM(t.Context(), rpc.VMRunParams{
		Create: rpc.VMCreateParams{Image: "app", Name: "web", Policy: model.Policy{Restart: model.RestartAlways}},
		Argv:   []string{"/bin/sh", "-c", "echo run >> " + file}, Detach: true,
	}, rpc.Stdio{}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	awaitLines(t, file, 1)
	v := r.show("web")
	r.endOnce(v, vmm.ExitReset)
	r.awaitBack(v)
	awaitLines(t, file, 2)
}

func TestTTL(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.withPolicy("brief", model.Policy{TTLSeconds: 1, Restart: model.RestartUnlessStopped})
	awaitTrue(t, "its time is over", func() bool { return r.state("brief") == model.VMStopped })
	if v := r.show("brief"); v.Ended != model.EndAsked || v.Reason != "its time to live of 1s is over" {
		t.Errorf("%s: %q", v.Ended, v.Reason)
	}
}

// TestIdle: a VM that somebody is attached to is not idle, nor does a new
// daemon forget to look.
func TestIdle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.withPolicy("idle", model.Policy{})
	second := int64(1)
	status, err := r.ExecVM(t.Context(), rpc.VMExecParams{Name: "idle", Argv: []string{"/bin/sleep", "3"}, WorkingDir: "/"}, rpc.Stdio{
		Started: func(model.VM) { // from now on it may be idle for less than the command takes
			if _, err := r.SetVM(t.Context(), rpc.VMSetParams{Name: "idle", IdleSeconds: &second}, model.Discard); err != nil {
				t.Error(err)
			}
		},
	}, model.Discard)
	if err != nil || status.Code != 0 {
		t.Errorf("a command that takes longer than the VM may be idle: %+v, %v", status, err)
	}
	if now := r.show("idle"); !now.StartedAt.Equal(v.StartedAt) {
		t.Errorf("it was stopped meanwhile: started %s, then %s", v.StartedAt, now.StartedAt)
	}
	r.restart()
	awaitTrue(t, "it is stopped", func() bool { return r.state("idle") == model.VMStopped })
	if why := r.show("idle").Reason; why != "it was idle for 1s" {
		t.Errorf("reason %q", why)
	}
}

func TestPolicyIsChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, p := range []rpc.VMCreateParams{
		{Policy: model.Policy{Restart: "sometimes"}},
		{Policy: model.Policy{Restart: model.RestartAlways}, AutoRemove: true},
		{Policy: model.Policy{Restart: model.RestartAlways, MaxRestarts: 1}},
		{Policy: model.Policy{TTLSeconds: -1}},
		{Policy: model.Policy{IdleSeconds: 1 << 40}},
	} {
		p.Image = "app"
		if _, err := r.CreateVM(t.Context(), p, model.Discard); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%+v: %v", p.Policy, err)
		}
	}
	r.nothingLeft()
}

func awaitLines(t *testing.T, file string, n int) {
	t.Helper()
	awaitTrue(t, fmt.Sprintf("%s has %d lines", file, n), func() bool {
		text, _ := os.ReadFile(file)
		return strings.Count(string(text), "\n") == n
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.memory, r.disks = 1024, 3*8192
	r.restart()
	for _, name := range []string{"a", "b", "c"} {
		if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: name}, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []rpc.VMCreateParams{{Name: "disk"}, {Name: "big", MemoryMiB: 2048}} {
		p.Image = "app"
		if _, err := r.CreateVM(t.Context(), p, model.Discard); model.CodeOf(err) != model.CodeLimit {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	disk, memory := int64(1<<30), 2048
	for what, p := range map[string]rpc.VMSetParams{"disk": {DiskBytes: &disk}, "memory": {MemoryMiB: &memory}} {
		p.Name = "a"
		if _, err := r.SetVM(t.Context(), p, model.Discard); model.CodeOf(err) != model.CodeLimit {
			t.Errorf("set %s: %v", what, err)
		}
	}
	start := func(name string) error {
		_, err := r.StartVM(t.Context(), rpc.NameParams{Name: name}, model.Discard)
		return err
	}
	if err := errors.Join(start("a"), start("b")); err != nil {
		t.Fatal(err)
	}
	if err := start("c"); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("the third start: %v", err)
	}
	r.restart() // the next daemon counts what runs
	if err := start("c"); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("the third start, with a new daemon: %v", err)
	}
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "a"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	if err := start("c"); err != nil {
		t.Error(err)
	}
}
