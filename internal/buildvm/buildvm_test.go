package buildvm_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/agent"
	"banger/internal/buildvm"
	"banger/internal/model"
	"banger/internal/vmm/vmmtest"
)

// kernels has one, whose files are there for the fake driver to see.
type kernels struct{ dir string }

func (k kernels) EnsureKernel(context.Context, string, model.Report) (model.Kernel, error) {
	return model.Kernel{Name: "k", Dir: k.dir}, nil
}
func (k kernels) Initramfs(context.Context, model.Kernel) (string, error) {
	return filepath.Join(k.dir, model.VmlinuxFile), nil
}
func (k kernels) InitramfsFor(context.Context, model.BootFiles) (string, error) {
	return filepath.Join(k.dir, model.VmlinuxFile), nil
}

// rig is a service over a fake driver, whose guests run processes on this host.
type rig struct {
	*buildvm.Service
	cfg  buildvm.Config
	fake *vmmtest.Fake
	spec buildvm.Spec
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{spec: buildvm.Spec{Rootfs: filepath.Join(dir, "disk"), Console: filepath.Join(dir, "console")}}
	r.fake = vmmtest.NewFake(func(g *vmmtest.Guest, conn net.Conn) {
		server := agent.NewServer(agent.Options{Version: "test", Shutdown: g.Poweroff})
		defer server.Close()
		_ = server.ServeConn(t.Context(), conn)
	})
	for _, name := range []string{"disk", model.VmlinuxFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.cfg = buildvm.Config{Driver: r.fake, Kernels: kernels{dir}, RunDir: filepath.Join(dir, "r"), BootTimeout: 2 * time.Second}
	r.Service = buildvm.New(r.cfg)
	return r
}

func (r *rig) wantNothing(t *testing.T, what string) {
	t.Helper()
	left, _ := filepath.Glob(r.cfg.RunDir + "/*")
	if len(left) > 0 || r.fake.Running() > 0 {
		t.Errorf("%s: %d VMs run, %v is left", what, r.fake.Running(), left)
	}
}

func TestProcessesInAGuest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var out strings.Builder
	var codes []int
	err := r.With(t.Context(), r.spec, model.Discard, func(ctx context.Context, g *buildvm.Guest) error {
		for _, p := range []buildvm.Process{
			{Argv: []string{"/bin/sh", "-c", "cat; echo $A; pwd; echo talk >&2; exit 3"}, Env: []string{"A=b"}, WorkingDir: "/", Stdin: strings.NewReader("in\n")},
			{Argv: []string{"/nothing"}},
		} {
			p.Stdout, p.Stderr = &out, &out
			status, err := g.Run(ctx, p)
			if err != nil {
				return err
			}
			codes = append(codes, status.Code)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{3, 127}, codes); d != "" {
		t.Error(d)
	}
	if got := strings.Replace(out.String(), "talk\n", "", 1); got != "in\nb\n/\n" || got == out.String() {
		t.Errorf("output %q", out.String())
	}
	r.wantNothing(t, "done")
}

func TestWhateverEndsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	own := errors.New("own")
	none := func(context.Context, *buildvm.Guest) error { return nil }
	for name, c := range map[string]struct {
		faults vmmtest.Faults
		do     func(ctx context.Context, g *buildvm.Guest) error
		code   model.Code
		says   string
	}{
		"the caller's error": {vmmtest.Faults{}, func(context.Context, *buildvm.Guest) error { return own }, model.CodeInternal, "own"},
		"no start":           {vmmtest.Faults{Start: model.Errorf(model.CodeUnsupported, "no QEMU")}, none, model.CodeUnsupported, "no QEMU"},
		"no answer":          {vmmtest.Faults{Silent: true}, none, model.CodeBoot, "not come up within 2s"},
		"an early end":       {vmmtest.Faults{Die: vmmtest.DieAtStart}, none, model.CodeBoot, "the end of its console"},
		"a late end": {vmmtest.Faults{}, func(ctx context.Context, g *buildvm.Guest) error {
			go r.killGuests()
			_, err := g.Run(ctx, buildvm.Process{Argv: []string{"/bin/sleep", "1000"}})
			return err
		}, model.CodeBoot, "went away while a step ran"},
	} {
		r.fake.SetFaults(c.faults)
		err := r.With(t.Context(), r.spec, model.Discard, c.do)
		if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v of code %q", name, err, model.CodeOf(err))
		}
		r.wantNothing(t, name)
	}
}

// TestDiskIsFull: a build does not wait for ever for room on the host's disk.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.StallLimit = 50 * time.Millisecond
	s := buildvm.New(r.cfg)
	for name, stalls := range map[string][]bool{"goes on": {true, false}, "full": {true}} {
		err := s.With(t.Context(), r.spec, model.Discard, func(ctx context.Context, g *buildvm.Guest) error {
			entries, err := os.ReadDir(r.cfg.RunDir)
			if err != nil {
				return err
			}
			for _, stalled := range stalls {
				r.fake.Guest("build-" + entries[0].Name()).Stall(stalled)
			}
			seconds := "1"
			if len(stalls) == 1 {
				seconds = "1000"
			}
			_, err = g.Run(ctx, buildvm.Process{Argv: []string{"/bin/sleep", seconds}})
			return err
		})
		if want := map[string]model.Code{"full": model.CodeNoSpace}[name]; model.CodeOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
		r.wantNothing(t, name)
	}
}

// killGuests ends the VMs that run, as somebody on the host may.
func (r *rig) killGuests() {
	entries, _ := os.ReadDir(r.cfg.RunDir)
	for _, e := range entries {
		if g := r.fake.Guest("build-" + e.Name()); g != nil {
			g.Reset()
		}
	}
}

func TestBadSpecs(t *testing.T) {
	t.Parallel()
	for _, s := range []buildvm.Spec{{Network: "host"}, {MemoryMiB: 1}, {CPUs: -1}} {
		if err := s.Check(); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestRecoverEndsWhatIsLeft: a daemon that dies while a step runs.
func TestRecoverEndsWhatIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- r.With(t.Context(), r.spec, model.Discard, func(ctx context.Context, g *buildvm.Guest) error {
			close(up)
			_, err := g.Run(ctx, buildvm.Process{Argv: []string{"/bin/sleep", "1000"}})
			return err
		})
	}()
	<-up
	if err := os.Mkdir(filepath.Join(r.cfg.RunDir, model.NewID()), 0o700); err != nil { // of a start that came to nothing
		t.Fatal(err)
	}
	if err := buildvm.New(r.cfg).Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantNothing(t, "after recovery")
	if err := <-ended; model.CodeOf(err) != model.CodeBoot {
		t.Errorf("the call ended with %v", err)
	}
}

// TestRecoverLeavesWhatItIsUnsureAbout: a driver that cannot tell.
func TestRecoverLeavesWhatItIsUnsureAbout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := filepath.Join(r.cfg.RunDir, model.NewID())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.fake.SetFaults(vmmtest.Faults{Attach: errors.New("nothing is known")})
	if err := r.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing is known") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// TestWaitingForAPlaceEnds: more builds than processors.
func TestWaitingForAPlaceEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	places := max(2, runtime.NumCPU())
	up, release := make(chan struct{}, places), make(chan struct{})
	ended := make(chan error, places)
	for i := range places {
		spec := r.spec
		spec.Console += string(rune('a' + i))
		go func() {
			ended <- r.With(t.Context(), spec, model.Discard, func(context.Context, *buildvm.Guest) error {
				up <- struct{}{}
				<-release
				return nil
			})
		}()
	}
	for range places {
		<-up
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := r.With(ctx, r.spec, model.Discard, func(context.Context, *buildvm.Guest) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	for range places {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
