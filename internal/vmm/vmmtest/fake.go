package vmmtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"banger/internal/model"
	"banger/internal/vmm"
)

// Fake is a vmm.Driver whose VMs live in memory. Daemons that are given the
// same Fake one after the other find each other's VMs.
type Fake struct {
	agent Agent

	mu     sync.Mutex
	faults Faults
	guests map[string]*Guest // running, by generation
	pids   int
}

var _ vmm.Driver = (*Fake)(nil)

// Faults make a Fake fail. The zero value works.
type Faults struct {
	Start  error          // Start fails with it
	Attach error          // Attach fails with it: nothing is known
	Silent bool           // agents never answer, as when a boot hangs
	Die    DiePoint       // VMs end by themselves at that point
	Exit   vmm.ExitReason // how they end then; "": ExitReset
}

// DiePoint is a moment in a VM's life.
type DiePoint string

// The moments.
const (
	DieAtStart DiePoint = "start" // as soon as Start has returned
	DieAtDial  DiePoint = "dial"  // when somebody connects to the agent
	DieAtPause DiePoint = "pause" // when it is to be paused
)

// NewFake returns a driver without VMs. Each connection to a guest is handed
// to agent.
func NewFake(agent Agent) *Fake {
	return &Fake{agent: agent, guests: map[string]*Guest{}}
}

// SetFaults replaces the faults; it counts for running VMs too.
func (f *Fake) SetFaults(faults Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

func (f *Fake) currentFaults() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults
}

// Guest returns the running guest of a VM, or nil.
func (f *Fake) Guest(vmID string) *Guest {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.guests {
		if g.Spec.ID == vmID {
			return g
		}
	}
	return nil
}

// Running returns how many VMs run.
func (f *Fake) Running() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.guests)
}

// Features implements vmm.Driver.
func (f *Fake) Features(context.Context) (vmm.Features, error) {
	return vmm.Features{Driver: "fake", Accel: "kvm", Version: "1", Overlays: true, UserNet: true, Pause: true}, nil
}

// Start implements vmm.Driver. As with a real one, the files of the spec
// must exist and the console is written to.
func (f *Fake) Start(ctx context.Context, spec vmm.Spec) (vmm.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("starting the fake VM: %w", err)
	}
	faults := f.currentFaults()
	if faults.Start != nil {
		return nil, faults.Start
	}
	if err := checkFiles(spec); err != nil {
		return nil, fmt.Errorf("starting the fake VM: %w", err)
	}
	g, err := f.add(spec)
	if err != nil {
		return nil, err
	}
	m := newFakeMachine(f, g)
	if faults.Die == DieAtStart {
		g.end(faults.exit(), "fault at start")
	}
	return m, nil
}

func (f Faults) exit() vmm.ExitReason {
	if f.Exit == "" {
		return vmm.ExitReset
	}
	return f.Exit
}

func checkFiles(spec vmm.Spec) error {
	paths := []string{spec.RunDir, spec.Kernel}
	if spec.Initrd != "" {
		paths = append(paths, spec.Initrd)
	}
	for _, d := range spec.Disks {
		paths = append(paths, d.Path)
		if d.Format == vmm.Qcow2 {
			paths = append(paths, d.Backing)
		}
	}
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(spec.Console, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "fake guest %s of VM %s\n", spec.Generation, spec.ID)
	return errors.Join(err, out.Close())
}

func (f *Fake) add(spec vmm.Spec) (*Guest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.guests[spec.Generation] != nil {
		return nil, fmt.Errorf("generation %s was started before", spec.Generation)
	}
	f.pids++
	process := model.ProcessID{BootID: "fake", PID: f.pids, Start: uint64(f.pids)}
	g := newGuest(spec, process, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.guests, spec.Generation)
	})
	f.guests[spec.Generation] = g
	return g, nil
}

// Attach implements vmm.Driver.
func (f *Fake) Attach(_ context.Context, rec vmm.Record) (vmm.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults.Attach != nil {
		return nil, f.faults.Attach
	}
	for _, g := range f.guests {
		if g.process != rec.Process {
			continue
		}
		if g.Spec.ID != rec.ID || g.Spec.Generation != rec.Generation {
			return nil, fmt.Errorf("attaching to the fake VM: process %d is that of %s", rec.Process.PID, g.Spec.ID)
		}
		return newFakeMachine(f, g), nil
	}
	return nil, fmt.Errorf("attaching to the fake VM: %w", vmm.ErrGone)
}
