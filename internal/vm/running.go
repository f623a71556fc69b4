package vm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"banger/internal/model"
	"banger/internal/vmm"
)

const (
	// attachTimeout bounds one try to find the process of a VM for a caller
	// who wants it.
	attachTimeout = 5 * time.Second
	// recoverTimeout bounds one before the daemon serves: a monitor that is
	// well answers in milliseconds, and one that is stuck holds up nobody.
	recoverTimeout = time.Second
)

// running returns a VM's process, nil when it is certain that there is none.
// A VM that is unknown is looked for once more; if that settles nothing, the
// error says so and nothing is done.
func (s *Service) running(ctx context.Context, vm model.VM) (*live, error) {
	if l := s.lookup(vm.ID); l != nil {
		return l, nil
	}
	if vm.State != model.VMUnknown {
		return nil, nil
	}
	l, err := s.attach(ctx, vm, attachTimeout)
	if err != nil && !errors.Is(err, vmm.ErrGone) {
		return nil, model.Errorf(model.CodeConflict, "VM %s is unknown: %w", vm.Name, err).
			WithHint("its process may still run, so it is left alone; `banger kill %s` ends it", vm.Name)
	}
	return l, nil
}

// attach finds the process of a VM that an earlier daemon started, and brings
// the row up to date: running, or stopped with vmm.ErrGone. Callers at the
// same time share what the first one found.
func (s *Service) attach(ctx context.Context, vm model.VM, limit time.Duration) (*live, error) {
	unlock, err := s.cfg.Ops.Lock(ctx, "vm.attach/"+vm.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if l := s.lookup(vm.ID); l != nil {
		return l, nil
	}
	driver, err := s.pickDriver(ctx, vm.Runtime.Driver)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m, err := driver.Attach(bounded, s.record(vm))
	if errors.Is(err, vmm.ErrGone) {
		return nil, errors.Join(err, s.recordGone(ctx, vm))
	}
	if err != nil {
		return nil, err
	}
	l := newLive(vm.ID, vm.Runtime.Generation, m)
	if wasUp(vm) {
		l.setUp()
	}
	s.adopt(ctx, l, consolePath(vm))
	s.expire(ctx, vm, l)
	if vm.State == model.VMUnknown {
		_, err = s.setState(ctx, vm.ID, model.VMRunning, "")
	}
	return l, err
}

// recordGone cleans up after a VM that has ended while nobody watched it.
func (s *Service) recordGone(ctx context.Context, vm model.VM) error {
	l := newLive(vm.ID, vm.Runtime.Generation, nil)
	if wasUp(vm) {
		l.setUp()
	}
	s.undoPrepared(ctx, vm.ID, vm.Runtime.Generation)
	_, err := s.recordExit(ctx, l, vmm.Exit{Reason: vmm.ExitUnknown, At: s.cfg.Now()}, consolePath(vm))
	if vm.Runtime.Generation != "" {
		err = errors.Join(err, os.RemoveAll(s.runDir(vm.Runtime.Generation)))
	}
	return err
}

// wasUp tells whether the guest of this start has come up: a boot that was
// not seen through is not worth keeping.
func wasUp(vm model.VM) bool {
	return vm.State != model.VMStarting && vm.Runtime.Guest != model.GuestFacts{}
}

func (s *Service) runDir(generation string) string {
	return filepath.Join(s.cfg.Paths.VMRuns(), generation)
}

// record is what a driver needs to find the process of vm again.
func (s *Service) record(vm model.VM) vmm.Record {
	return vmm.Record{
		ID: vm.ID, Generation: vm.Runtime.Generation,
		Driver: vm.Runtime.Driver, Accel: vm.Runtime.Accel,
		RunDir: s.runDir(vm.Runtime.Generation), Process: vm.Runtime.Process,
	}
}
