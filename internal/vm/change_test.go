package vm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm/vmmtest"
)

// eventLog keeps events in memory.
type eventLog struct {
	mu     sync.Mutex
	events []model.Event
}

func (l *eventLog) Add(e model.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// actions are the actions of one VM's events, in their order.
func (l *eventLog) actions(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var actions []string
	for _, e := range l.events {
		if e.ID == id {
			actions = append(actions, e.Action)
		}
	}
	return actions
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	name := rpc.NameParams{Name: "web"}
	for range 2 { // pausing a paused VM changes nothing
		if paused, err := r.PauseVM(t.Context(), name); err != nil || paused.State != model.VMPaused {
			t.Fatalf("paused: %+v, %v", paused.State, err)
		}
	}
	if _, _, err := r.exec("web", "true"); model.CodeOf(err) != model.CodeConflict || !strings.Contains(model.HintOf(err), "banger resume web") {
		t.Errorf("exec in a paused VM: %v", err)
	}
	if _, err := r.StartVM(t.Context(), name, model.Discard); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("starting a paused VM: %v", err)
	}
	r.restart()
	if got := r.state("web"); got != model.VMPaused {
		t.Errorf("in the next daemon it is %s", got)
	}
	for range 2 {
		if resumed, err := r.ResumeVM(t.Context(), name); err != nil || resumed.State != model.VMRunning {
			t.Fatalf("resumed: %+v, %v", resumed.State, err)
		}
	}
	if _, out, err := r.exec("web", "echo on"); err != nil || out != "on\n" {
		t.Errorf("exec: %q, %v", out, err)
	}
	if _, err := r.PauseVM(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if stopped, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil || stopped.State != model.VMStopped || stopped.Reason != "" {
		t.Errorf("stopping a paused VM: %+v, %v", stopped, err)
	}
	for what, call := range map[string]func(context.Context, rpc.NameParams) (model.VM, error){"pause": r.PauseVM, "resume": r.ResumeVM} {
		if _, err := call(t.Context(), name); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
			t.Errorf("%s of a stopped VM: %v", what, err)
		}
	}
	want := []string{"creating", "starting", "running", "paused", "running", "paused", "running", "stopping", "stopped"}
	if d := cmp.Diff(want, r.events.actions(v.ID)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func TestAProcessThatEndsAtPause(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	r.fake.SetFaults(vmmtest.Faults{Die: vmmtest.DieAtPause})
	if _, err := r.PauseVM(t.Context(), rpc.NameParams{Name: "web"}); model.CodeOf(err) != model.CodeBoot || model.HintOf(err) == "" {
		t.Errorf("pause: %v", err)
	}
	awaitTrue(t, "it has failed", func() bool { return r.state("web") == model.VMFailed })
}

func TestRename(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	r.create("db")
	renamed, err := r.RenameVM(t.Context(), rpc.VMRenameParams{Name: "web", NewName: "www"})
	if err != nil || renamed.ID != v.ID || renamed.Name != "www" || renamed.Spec.Hostname != "www" || renamed.State != model.VMRunning {
		t.Errorf("%+v, %v", renamed, err)
	}
	for to, code := range map[string]model.Code{"db": model.CodeConflict, "No": model.CodeInvalid} {
		if _, err := r.RenameVM(t.Context(), rpc.VMRenameParams{Name: "www", NewName: to}); model.CodeOf(err) != code {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if same, err := r.RenameVM(t.Context(), rpc.VMRenameParams{Name: "www", NewName: "www"}); err != nil || same.Name != "www" {
		t.Errorf("to its own name: %v", err)
	}
	if actions := r.events.actions(v.ID); !slices.Contains(actions, "renamed") {
		t.Errorf("events %v", actions)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	four, memory, tiny := 4, 256, 1
	set := func(p rpc.VMSetParams) (model.VMChange, error) {
		p.Name = "web"
		return r.SetVM(t.Context(), p, model.Discard)
	}
	c, err := set(rpc.VMSetParams{CPUs: &four, Labels: map[string]string{"a": "1", "b": "2"}})
	if err != nil || !slices.Equal(c.Now, []string{"labels"}) || !slices.Equal(c.Later, []string{"cpus"}) {
		t.Errorf("of a running VM: %+v, %v", c, err)
	}
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	c, err = set(rpc.VMSetParams{MemoryMiB: &memory, RemoveLabels: []string{"a", "no-such"}})
	if err != nil || !slices.Equal(c.Now, []string{"memory", "labels"}) || len(c.Later) != 0 {
		t.Errorf("of a stopped VM: %+v, %v", c, err)
	}
	if spec := c.VM.Spec; spec.CPUs != 4 || spec.MemoryMiB != 256 || !cmp.Equal(spec.Labels, map[string]string{"b": "2"}) {
		t.Errorf("spec %+v", spec)
	}
	always, sometimes, hour := "always", "sometimes", int64(3600)
	c, err = set(rpc.VMSetParams{Restart: &always, TTLSeconds: &hour})
	if err != nil || !slices.Equal(c.Now, []string{"restart", "ttl"}) || c.VM.Spec.Policy != (model.Policy{Restart: model.RestartAlways, TTLSeconds: hour}) {
		t.Errorf("policy: %+v, %v", c, err)
	}
	ghost := "no-such-kernel"
	for name, tc := range map[string]struct {
		p    rpc.VMSetParams
		code model.Code
	}{
		"nothing":            {rpc.VMSetParams{}, model.CodeInvalid},
		"no such policy":     {rpc.VMSetParams{Restart: &sometimes}, model.CodeInvalid},
		"too little memory":  {rpc.VMSetParams{MemoryMiB: &tiny}, model.CodeInvalid},
		"a kernel of no use": {rpc.VMSetParams{Kernel: &ghost}, model.CodeNotFound},
	} {
		if _, err := set(tc.p); model.CodeOf(err) != tc.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, _ := r.ShowVM(t.Context(), rpc.NameParams{Name: "web"}); now.Spec.MemoryMiB != 256 || now.Spec.Kernel != "" {
		t.Errorf("a refused change has left %+v", now.Spec)
	}
}

// TestAKernelThatDoesNotBootIsGivenUp: the VM boots with the one before, says
// so in one note, and does not try the other one again.
func TestAKernelThatDoesNotBootIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	broken := "broken"
	if c, err := r.SetVM(t.Context(), rpc.VMSetParams{Name: "web", Kernel: &broken}, model.Discard); err != nil || !slices.Equal(c.Later, []string{"kernel"}) {
		t.Fatalf("%+v, %v", c, err)
	}
	if users, err := r.KernelUsers(t.Context(), broken); err != nil || len(users) != 1 {
		t.Errorf("users %v, %v", users, err)
	}
	var notes []string
	v, err := r.RestartVM(t.Context(), rpc.VMStopParams{Name: "web"}, func(p model.Progress) {
		if p.Note != "" {
			notes = append(notes, p.Note)
		}
	})
	if err != nil || v.State != model.VMRunning || v.Spec.Kernel != "" || v.Runtime.Kernel != "k" || v.FallbackKernel != nil {
		t.Errorf("%+v, %v", v, err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "web does not boot with kernel broken: it is back on k") {
		t.Errorf("notes %q", notes)
	}
	// One that boots is kept, and there is nothing to go back to any more.
	good := "k"
	if _, err := r.SetVM(t.Context(), rpc.VMSetParams{Name: "web", Kernel: &good}, model.Discard); err != nil {
		t.Fatal(err)
	}
	v, err = r.RestartVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard)
	if err != nil || v.Spec.Kernel != "k" || v.FallbackKernel != nil {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("up")
	for _, name := range []string{"ci-1", "ci-2", "keep"} {
		p := rpc.VMCreateParams{Image: "app", Name: name, Labels: map[string]string{"set": name[:2]}}
		if _, err := r.CreateVM(t.Context(), p, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	prune := func(p rpc.VMPruneParams) []string {
		t.Helper()
		vms, err := r.PruneVMs(t.Context(), p, model.Discard)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, vm := range vms {
			names = append(names, vm.Name)
		}
		return names
	}
	if got := prune(rpc.VMPruneParams{DryRun: true}); !slices.Equal(got, []string{"ci-1", "ci-2", "keep"}) {
		t.Errorf("dry run: %v", got)
	}
	if got := prune(rpc.VMPruneParams{Filters: []string{"label=set=ci"}}); !slices.Equal(got, []string{"ci-1", "ci-2"}) {
		t.Errorf("by label: %v", got)
	}
	if got := prune(rpc.VMPruneParams{IDs: []string{"another"}}); len(got) != 0 {
		t.Errorf("of no such id: %v", got)
	}
	if got := prune(rpc.VMPruneParams{}); !slices.Equal(got, []string{"keep"}) {
		t.Errorf("the rest: %v", got)
	}
	if _, err := r.PruneVMs(t.Context(), rpc.VMPruneParams{Filters: []string{"x=y"}}, model.Discard); model.CodeOf(err) != model.CodeInvalid {
		t.Error(err)
	}
	if got := r.state("up"); got != model.VMRunning {
		t.Errorf("the running one is %s", got)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	type answer struct {
		vm  model.VM
		err error
	}
	wait := func(what rpc.VMAwait) <-chan answer {
		answers := make(chan answer, 1)
		go func() {
			vm, err := r.WaitVM(t.Context(), rpc.VMWaitParams{Name: "web", For: what})
			answers <- answer{vm, err}
		}()
		return answers
	}
	if got := <-wait(rpc.AwaitRunning); got.err != nil || got.vm.State != model.VMRunning {
		t.Errorf("running already: %+v", got)
	}
	paused, exit, stopped := wait(rpc.AwaitPaused), wait(""), wait(rpc.AwaitStopped)
	if _, err := r.PauseVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	if got := <-paused; got.err != nil || got.vm.State != model.VMPaused {
		t.Errorf("paused: %+v", got)
	}
	r.fake.Guest((<-wait(rpc.AwaitPaused)).vm.ID).Reset()
	if got := <-exit; got.err != nil || got.vm.State != model.VMFailed {
		t.Errorf("exit: %+v", got)
	}
	if got := <-stopped; model.CodeOf(got.err) != model.CodeBoot || model.HintOf(got.err) == "" {
		t.Errorf("stopped: %+v", got)
	}
	if got := <-wait(rpc.AwaitPaused); model.CodeOf(got.err) != model.CodeBoot {
		t.Errorf("paused, of a failed VM: %+v", got)
	}
}

func TestWaitForADeletedVM(t *testing.T) {
	t.Parallel()
	for what, code := range map[rpc.VMAwait]model.Code{rpc.AwaitExit: "", rpc.AwaitPaused: model.CodeNotFound} {
		r := newRig(t)
		r.create("web")
		over := make(chan error, 1)
		go func() {
			_, err := r.WaitVM(t.Context(), rpc.VMWaitParams{Name: "web", For: what})
			over <- err
		}()
		if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "web", Force: true}, model.Discard); err != nil {
			t.Fatal(err)
		}
		// The wait may have begun after the end.
		if err := <-over; model.CodeOf(err) != code && model.CodeOf(err) != model.CodeNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWaitEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	<-ctx.Done()
	_, err := r.WaitVM(ctx, rpc.VMWaitParams{Name: "web"})
	if model.CodeOf(err) != model.CodeTimeout && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNamesByTheirBeginning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"web-1", "web-2", "zoo"} {
		if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: name}, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := r.ShowVM(t.Context(), rpc.NameParams{Name: "z"}); err != nil || v.Name != "zoo" {
		t.Errorf("z is %s, %v", v.Name, err)
	}
	if _, err := r.ShowVM(t.Context(), rpc.NameParams{Name: "web"}); model.CodeOf(err) != model.CodeConflict || !strings.Contains(model.HintOf(err), "web-1, web-2") {
		t.Errorf("web: %v, %s", err, model.HintOf(err))
	}
	if _, err := r.ShowVM(t.Context(), rpc.NameParams{Name: ""}); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("no name: %v", err)
	}
}
