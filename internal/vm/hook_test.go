package vm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// diary is what hooks have been called for, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
	fail  map[string]error // by line
}

func (d *diary) write(line string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
	return d.fail[line]
}

func (d *diary) failAt(line string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = map[string]error{line: err}
}

// read returns what was written since the last time.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// hook is a capability that writes down what it is asked to do.
func (d *diary) hook(name string) vm.Hook {
	note := func(what string) func(context.Context, model.VM) error {
		return func(context.Context, model.VM) error { return d.write(what + " " + name) }
	}
	return vm.Hook{
		Name: name,
		Plan: func(_ context.Context, _ rpc.VMCreateParams, _ model.Image, spec *model.VMSpec) error {
			spec.Labels = map[string]string{"planned by": name}
			return d.write("plan " + name)
		},
		Create: func(context.Context, model.VM, model.Image) error { return d.write("create " + name) },
		Configure: func(_ model.VM, plan *vm.Plan) error {
			plan.Machine.Cmdline += name + "=1 "
			return d.write("configure " + name)
		},
		Prepare: note("prepare"),
		Ready:   func(context.Context, model.VM, *guest.Client) error { return d.write("ready " + name) },
		Stop:    note("stop"),
		Delete:  note("delete"),
		Doctor:  func(context.Context) []model.Check { return []model.Check{{Name: name, Level: model.CheckOK}} },
	}
}

func newDiary(t *testing.T) (*diary, *rig) {
	d := &diary{}
	return d, newRig(t, d.hook("a"), d.hook("b"))
}

func wantDiary(t *testing.T, d *diary, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, d.read()); diff != "" {
		t.Errorf("%s: -want +got\n%s", when, diff)
	}
}

func TestHooksFollowALife(t *testing.T) {
	t.Parallel()
	d, r := newDiary(t)
	v := r.create("web")
	wantDiary(t, d, "create and start", "plan a", "plan b", "create a", "create b",
		"configure a", "configure b", "prepare a", "prepare b", "ready a", "ready b")
	if v.Spec.Labels["planned by"] != "b" || r.fake.Guest(v.ID).Spec.Cmdline != "a=1 b=1 " {
		t.Errorf("what the hooks planned is lost: %+v, %q", v.Spec, r.fake.Guest(v.ID).Spec.Cmdline)
	}
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	wantDiary(t, d, "stop", "stop b", "stop a")
	if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	wantDiary(t, d, "delete", "delete b", "delete a")
	if checks := r.Doctor(t.Context()); len(checks) != 2 || checks[0].Name != "a" {
		t.Errorf("doctor: %+v", checks)
	}
}

func TestHookThatFailsIsUndoneInReverse(t *testing.T) {
	t.Parallel()
	for at, want := range map[string][]string{
		"plan b":      {"plan a", "plan b"},
		"create b":    {"plan a", "plan b", "create a", "create b", "delete b", "delete a"},
		"configure b": {"configure a", "configure b", "delete b", "delete a"},
		"prepare b":   {"prepare a", "prepare b", "stop a", "delete b", "delete a"},
		"ready b":     {"ready a", "ready b", "stop b", "stop a", "delete b", "delete a"},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			d, r := newDiary(t)
			d.failAt(at, model.Errorf(model.CodeNoSpace, "no room"))
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web", Start: true}, model.Discard)
			if err == nil || !strings.Contains(err.Error(), "no room") {
				t.Errorf("create: %v", err)
			}
			lines := d.read()
			if diff := cmp.Diff(want, lines[max(0, len(lines)-len(want)):]); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			r.nothingLeft()
		})
	}
}

func TestHooksAreUndoneWhenTheProcessDoesNotStart(t *testing.T) {
	t.Parallel()
	d, r := newDiary(t)
	r.fake.SetFaults(vmmtest.Faults{Start: errors.New("no machine")})
	_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web", Start: true}, model.Discard)
	if err == nil || !strings.Contains(err.Error(), "no machine") {
		t.Errorf("create: %v", err)
	}
	lines := d.read()
	if want := []string{"prepare b", "stop b", "stop a", "delete b", "delete a"}; !slices.Equal(lines[len(lines)-5:], want) {
		t.Errorf("got %q, want it to end with %q", lines, want)
	}
}

// TestUndoingThatFails: all the others are undone, and the error says both
// what went wrong first and what is left.
func TestUndoingThatFails(t *testing.T) {
	t.Parallel()
	d := &diary{}
	failing := d.hook("b")
	failing.Stop = func(context.Context, model.VM) error { return errors.New("it is stuck") }
	last := vm.Hook{Name: "c", Prepare: func(context.Context, model.VM) error { return errors.New("no room") }}
	r := newRig(t, d.hook("a"), failing, last)
	if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	d.read()
	_, err := r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard)
	if err == nil || !strings.Contains(err.Error(), "no room") || !strings.Contains(err.Error(), "undoing the b of VM web: it is stuck") {
		t.Errorf("start: %v", err)
	}
	wantDiary(t, d, "start", "configure a", "configure b", "prepare a", "prepare b", "stop a")
	if r.state("web") != model.VMFailed {
		t.Errorf("the VM is %s", r.state("web"))
	}
}

// TestHooksAfterARestart: what an earlier daemon prepared is given back by the
// one that sees the end of the VM.
func TestHooksAfterARestart(t *testing.T) {
	t.Parallel()
	d, r := newDiary(t)
	v := r.create("web")
	d.read()
	r.restart()
	wantDiary(t, d, "a VM that goes on")
	if _, err := r.KillVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	wantDiary(t, d, "killed by the next daemon", "stop b", "stop a")

	if _, err := r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	r.Close()
	d.read()
	r.fake.Guest(v.ID).End(vmm.ExitPoweroff)
	r.restart()
	wantDiary(t, d, "ended while there was no daemon", "stop b", "stop a")
	if r.state("web") != model.VMStopped {
		t.Errorf("the VM is %s", r.state("web"))
	}
}
