package vm_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLifeOfAVM(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	if v.State != model.VMRunning || v.Runtime.Process.PID == 0 || v.Runtime.Guest.AgentVersion != "test" {
		t.Errorf("started: %+v", v)
	}
	if status, out, err := r.exec("web", "echo hi; exit 3"); err != nil || status.Code != 3 || out != "hi\n" {
		t.Errorf("exec: %+v %q %v", status, out, err)
	}
	if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "web"}, model.Discard); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
		t.Errorf("deleting a running VM: %v", err)
	}
	stopped, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard)
	if err != nil || stopped.State != model.VMStopped || stopped.Runtime.Generation != "" || !empty(r.paths.VMRuns()) {
		t.Errorf("stopped: %+v, %v", stopped, err)
	}
	if again, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: v.ID[:6]}, model.Discard); err != nil || again.State != model.VMStopped {
		t.Errorf("stopping a stopped VM: %+v, %v", again, err)
	}
	if status, _, err := r.exec("web", "exit 4"); err != nil || status.Code != 4 || r.state("web") != model.VMRunning {
		t.Errorf("exec starts a stopped VM: %+v, %v", status, err)
	}
	restarted, err := r.RestartVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard)
	if err != nil || restarted.State != model.VMRunning {
		t.Errorf("restarted: %+v, %v", restarted, err)
	}
	if killed, err := r.KillVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil || killed.State != model.VMStopped || killed.Reason != "killed" {
		t.Errorf("killed: %+v, %v", killed, err)
	}
	if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "web"}, model.Discard); err != nil {
		t.Error(err)
	}
	r.nothingLeft()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	noStart := rpc.VMExecParams{Name: "idle", Argv: []string{"x"}, NoStart: true}
	if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "idle"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		call func() error
		code model.Code
		hint string
	}{
		"a name that is taken": {func() error {
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "no-such-image", Name: "web"}, model.Discard)
			return err
		}, model.CodeConflict, "banger rm"},
		"a bad name": {func() error {
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "No"}, model.Discard)
			return err
		}, model.CodeInvalid, ""},
		"no such image": {func() error {
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "nope"}, model.Discard)
			return err
		}, model.CodeNotFound, ""},
		"no such kernel": {func() error {
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Kernel: "nope"}, model.Discard)
			return err
		}, model.CodeNotFound, ""},
		"no such driver": {func() error {
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Driver: "firecracker"}, model.Discard)
			return err
		}, model.CodeUnsupported, "--driver"},
		"no such VM": {func() error {
			_, err := r.ShowVM(t.Context(), rpc.NameParams{Name: "wev"})
			return err
		}, model.CodeNotFound, "web"},
		"exec on a stopped VM with NoStart": {func() error {
			_, err := r.ExecVM(t.Context(), noStart, rpc.Stdio{}, model.Discard)
			return err
		}, model.CodeConflict, "banger start"},
		"an empty command": {func() error {
			_, err := r.ExecVM(t.Context(), rpc.VMExecParams{Name: "web"}, rpc.Stdio{}, model.Discard)
			return err
		}, model.CodeInvalid, "COMMAND"},
	} {
		if err := tc.call(); model.CodeOf(err) != tc.code || !strings.Contains(model.HintOf(err), tc.hint) {
			t.Errorf("%s: %s %v (%s)", name, model.CodeOf(err), err, model.HintOf(err))
		}
	}
	if all, err := r.ListVMs(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("a refused call has left a VM: %+v, %v", all, err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	run := func(p rpc.VMRunParams) (model.ExitStatus, string, error) {
		var out bytes.Buffer
		p.Create.Image = "app"
		p.Create.WorkingDir = "/"
		status, err := r.RunVM(t.Context(), p, rpc.Stdio{Stdout: &out}, model.Discard)
		return status, out.String(), err
	}
	if status, out, err := run(rpc.VMRunParams{Create: rpc.VMCreateParams{AutoRemove: true}}); err != nil || status.Code != 0 || out != "main\n" {
		t.Errorf("the image's own command: %+v %q %v", status, out, err)
	}
	r.nothingLeft()
	if status, _, err := run(rpc.VMRunParams{Create: rpc.VMCreateParams{AutoRemove: true}, Argv: []string{"no-such-program"}}); err != nil || status.Code != 127 {
		t.Errorf("a command that is not there: %+v, %v", status, err)
	}
	r.nothingLeft()
	if _, _, err := run(rpc.VMRunParams{Create: rpc.VMCreateParams{Entrypoint: []string{""}}}); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("no command at all: %v", err)
	}
	r.nothingLeft()
	if status, _, err := run(rpc.VMRunParams{Create: rpc.VMCreateParams{Name: "kept"}, Argv: []string{"/bin/sh", "-c", "exit 9"}}); err != nil || status.Code != 9 || r.state("kept") != model.VMStopped {
		t.Errorf("a VM that is kept: %+v, %v", status, err)
	}
	if _, _, err := run(rpc.VMRunParams{Create: rpc.VMCreateParams{Name: "back"}, Argv: []string{"/bin/true"}, Detach: true}); err != nil || r.state("back") != model.VMRunning {
		t.Errorf("detached: %v", err)
	}
}

func TestRunEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := r.RunVM(ctx, rpc.VMRunParams{Create: rpc.VMCreateParams{Image: "app", AutoRemove: true, WorkingDir: "/"}, Argv: []string{"/bin/sleep", "1000"}},
		rpc.Stdio{Started: func(model.VM) { cancel() }}, model.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	r.nothingLeft()
}

func TestBootThatFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("no such machine")
	for name, tc := range map[string]struct {
		faults vmmtest.Faults
		code   model.Code
		says   string
	}{
		"the driver cannot start it": {vmmtest.Faults{Start: boom}, model.CodeInternal, "no such machine"},
		"the guest never answers":    {vmmtest.Faults{Silent: true}, model.CodeBoot, "in time"},
		"the process ends at once":   {vmmtest.Faults{Die: vmmtest.DieAtStart}, model.CodeBoot, "ended"},
		"the process ends on dial":   {vmmtest.Faults{Die: vmmtest.DieAtDial}, model.CodeBoot, "ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.SetFaults(tc.faults)
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web", Start: true}, model.Discard)
			if model.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("create: %s %v", model.CodeOf(err), err)
			}
			r.nothingLeft()
			if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web"}, model.Discard); err != nil {
				t.Fatal(err)
			}
			_, err = r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard)
			if model.CodeOf(err) != tc.code || r.state("web") != model.VMFailed || r.fake.Running() != 0 || !empty(r.paths.VMRuns()) {
				t.Errorf("start: %s %v; %s", model.CodeOf(err), err, r.state("web"))
			}
			r.fake.SetFaults(vmmtest.Faults{})
			if v, err := r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard); err != nil || v.State != model.VMRunning {
				t.Errorf("a later start: %+v, %v", v, err)
			}
		})
	}
}

func TestGuestThatEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for reason, want := range map[vmm.ExitReason]model.VMState{
		vmm.ExitPoweroff: model.VMStopped, vmm.ExitReset: model.VMFailed,
		vmm.ExitKilled: model.VMStopped, vmm.ExitCrashed: model.VMFailed,
	} {
		v := r.create("g-" + string(reason))
		ended := make(chan error, 1)
		typed, out := newTyped(t)
		go func() { // cat ends with its input, which ends with the wire: nothing of it is left here
			_, err := r.ExecVM(t.Context(), rpc.VMExecParams{Name: v.Name, Argv: []string{"cat"}, WorkingDir: "/", Stdin: true},
				rpc.Stdio{Stdin: typed, Stdout: out}, model.Discard)
			ended <- err
		}()
		if got := <-out; got != "hello" {
			t.Errorf("%s: cat says %q", reason, got)
		}
		r.fake.Guest(v.ID).End(reason)
		if err := <-ended; model.CodeOf(err) != model.CodeBoot && model.CodeOf(err) != model.CodeUnreachable {
			t.Errorf("%s: a command in a guest that ends: %v", reason, err)
		}
		awaitTrue(t, string(want), func() bool { return r.state(v.Name) == want })
	}
	once, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "once", AutoRemove: true, Start: true}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r.fake.Guest(once.ID).End(vmm.ExitReset)
	awaitTrue(t, "a VM with AutoRemove is gone", func() bool {
		_, err := r.ShowVM(t.Context(), rpc.NameParams{Name: once.ID})
		return model.CodeOf(err) == model.CodeNotFound
	})
}

// newTyped returns an input that says hello and goes on without a word until
// the test ends, and an output whose writes are received.
func newTyped(t *testing.T) (io.Reader, chanWriter) {
	t.Helper()
	typed, keys := io.Pipe()
	t.Cleanup(func() { _ = keys.Close() })
	go func() { _, _ = io.WriteString(keys, "hello") }()
	return typed, make(chanWriter, 1)
}

type chanWriter chan string

func (c chanWriter) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func TestDaemonRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	gone := r.create("gone")
	r.Close()
	r.fake.Guest(gone.ID).Poweroff()
	r.restart()
	if r.state("web") != model.VMRunning || r.state("gone") != model.VMStopped {
		t.Errorf("web is %s, gone is %s", r.state("web"), r.state("gone"))
	}
	if status, out, err := r.exec("web", "echo again"); err != nil || status.Code != 0 || out != "again\n" {
		t.Errorf("exec after a restart: %+v %q %v", status, out, err)
	}
	r.fake.SetFaults(vmmtest.Faults{Attach: errors.New("the monitor does not answer")})
	r.restart()
	if r.state("web") != model.VMUnknown || r.fake.Running() != 1 {
		t.Errorf("a VM that cannot be asked is %s", r.state("web"))
	}
	for what, err := range map[string]error{
		"start":  second(r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard)),
		"delete": second(r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "web", Force: true}, model.Discard)),
	} {
		if model.CodeOf(err) != model.CodeConflict || r.fake.Running() != 1 {
			t.Errorf("%s of an unknown VM: %v", what, err)
		}
	}
	r.fake.SetFaults(vmmtest.Faults{})
	if _, out, err := r.exec("web", "echo found"); err != nil || out != "found\n" || r.state("web") != model.VMRunning {
		t.Errorf("an unknown VM that answers again: %q %v", out, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRecoverFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, state := range []model.VMState{model.VMCreating, model.VMDeleting} {
		v, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: string(state)}, model.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.db.UpdateVM(t.Context(), v.ID, func(v *model.VM) error { v.State = state; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	booting := r.create("booting")
	if _, err := r.db.UpdateVM(t.Context(), booting.ID, func(v *model.VM) error { v.State = model.VMStarting; return nil }); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(r.paths.VMRuns(), model.NewID())
	lost := filepath.Join(r.paths.VMs(), model.NewID())
	foreign := filepath.Join(r.paths.VMs(), "notes")
	for _, dir := range []string{stale, lost, foreign} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.restart()
	all, err := r.ListVMs(t.Context())
	if err != nil || len(all) != 1 || all[0].State != model.VMStopped || r.fake.Running() != 0 {
		t.Errorf("%+v, %v, %d running", all, err, r.fake.Running())
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Error("the run directory of no VM is still there")
	}
	for _, dir := range []string{lost, foreign} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("what a lost database does not know was removed: %v", err)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	console := filepath.Join(v.Dir, model.ConsoleFile)
	if err := os.WriteFile(console, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for tail, want := range map[int]string{0: "one\ntwo\nthree\n", 2: "two\nthree\n", -1: ""} {
		var out bytes.Buffer
		if err := r.LogsVM(t.Context(), rpc.VMLogsParams{Name: "web", Tail: tail}, &out); err != nil || out.String() != want {
			t.Errorf("tail %d: %q, %v", tail, out.String(), err)
		}
	}
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- r.LogsVM(t.Context(), rpc.VMLogsParams{Name: "web", Follow: true}, &out) }()
	f, err := os.OpenFile(console, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("four\n")
	_ = f.Close()
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !strings.HasSuffix(out.String(), "three\nfour\n") {
		t.Errorf("following to the end: %q, %v", out.String(), err)
	}
}
