package kernelboot_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/agent"
	"banger/internal/kernelboot"
	"banger/internal/model"
	"banger/internal/quota"
	"banger/internal/vmm/vmmtest"
)

// rig is a Tester over a fake driver.
type rig struct {
	*kernelboot.Tester
	cfg  kernelboot.Config
	fake *vmmtest.Fake
}

// newRig makes a rig whose guests run a real agent, on this host: there is no
// /probe here.
func newRig(t *testing.T) *rig {
	t.Helper()
	home := t.TempDir()
	probe := filepath.Join(home, "banger-agent")
	if err := os.WriteFile(probe, []byte("the agent"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := &rig{fake: vmmtest.NewFake(func(g *vmmtest.Guest, conn net.Conn) {
		server := agent.NewServer(agent.Options{Version: "test", Shutdown: g.Poweroff})
		defer server.Close()
		_ = server.ServeConn(t.Context(), conn)
	})}
	r.cfg = kernelboot.Config{
		Driver: r.fake, AgentPath: probe, Dir: filepath.Join(home, "d"), RunDir: filepath.Join(home, "r"), BootTimeout: time.Second,
	}
	r.Tester = kernelboot.New(r.cfg)
	return r
}

// wantNothing checks that nothing of a test is left.
func (r *rig) wantNothing(t *testing.T, what string) {
	t.Helper()
	for _, dir := range []string{r.cfg.Dir, r.cfg.RunDir} {
		if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
			t.Errorf("%s: left behind: %v", what, left)
		}
	}
}

func TestKernelsThatDoNotComeUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults vmmtest.Faults
		code   model.Code
		says   string
	}{
		"it never answers":         {vmmtest.Faults{Silent: true}, model.CodeBoot, "not come up within 1s"},
		"it ends at once":          {vmmtest.Faults{Die: vmmtest.DieAtStart}, model.CodeBoot, "has ended before it was up"},
		"it ends when it is asked": {vmmtest.Faults{Die: vmmtest.DieAtDial}, model.CodeBoot, "has ended before it was up"},
		"there is no machine":      {vmmtest.Faults{Start: model.Errorf(model.CodeUnsupported, "no QEMU")}, model.CodeUnsupported, "no QEMU"},
		"it has no probe":          {vmmtest.Faults{}, model.CodeBoot, "127"},
	} {
		r := newRig(t)
		r.fake.SetFaults(c.faults)
		_, err := r.Test(t.Context(), model.MachineMicroVM, r.cfg.AgentPath, r.cfg.AgentPath, nil) // the fake wants files, no more
		if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v of code %q, want %q", name, err, model.CodeOf(err), c.code)
		}
		r.wantNothing(t, name)
	}
}

// TestRecoverEndsWhatIsLeft: a test whose daemon goes away in the middle.
func TestRecoverEndsWhatIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fake.SetFaults(vmmtest.Faults{Silent: true})
	if err := os.MkdirAll(filepath.Join(r.cfg.RunDir, "gone"), 0o700); err != nil {
		t.Fatal(err)
	}
	slow := r.cfg
	slow.BootTimeout = time.Minute
	ended := make(chan error, 1)
	go func() {
		_, err := kernelboot.New(slow).Test(t.Context(), model.MachineMicroVM, r.cfg.AgentPath, r.cfg.AgentPath, nil)
		ended <- err
	}()
	recorded := filepath.Join(r.cfg.Dir, "*", "record.json")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if found, _ := filepath.Glob(recorded); len(found) == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no machine was started")
		}
	}
	if err := r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if model.CodeOf(err) != model.CodeBoot {
			t.Errorf("the test ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the machine runs on")
	}
	r.wantNothing(t, "after recovery")
}

// vms is a host with a VM that runs.
type vms struct{}

func (vms) VMSummaries(context.Context) ([]model.VMSummary, error) {
	return []model.VMSummary{{ID: "1", State: model.VMRunning, MemoryMiB: 500}}, nil
}

// TestMemoryIsBounded: a test needs its place beside the VMs, and gives it
// back.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		limitMiB int
		code     model.Code
	}{{700, model.CodeLimit}, {760, model.CodeBoot}} { // there is no probe here
		r.cfg.Memory = quota.NewMemory(c.limitMiB, vms{})
		tester := kernelboot.New(r.cfg)
		for range 2 {
			if _, err := tester.Test(t.Context(), model.MachineMicroVM, r.cfg.AgentPath, r.cfg.AgentPath, nil); model.CodeOf(err) != c.code {
				t.Errorf("%d MiB: %v", c.limitMiB, err)
			}
		}
		r.wantNothing(t, "the bound")
	}
}
