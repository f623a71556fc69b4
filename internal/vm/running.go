package vm

import (
	"context"
	"errors"
	"time"

	"banger/internal/model"
	"banger/internal/vmm"
)

// attachTimeout bounds one try to find the process of a VM again.
const attachTimeout = 5 * time.Second

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
	l, err := s.attach(ctx, vm)
	if err != nil && !errors.Is(err, vmm.ErrGone) {
		return nil, model.Errorf(model.CodeConflict, "VM %s is unknown: %w", vm.Name, err).
			WithHint("its process may still run, so it is left alone; see `banger show %s`, then try again", vm.Name)
	}
	return l, nil
}

// attach finds the process of a VM that an earlier daemon started, and brings
// the row up to date: running, or stopped with vmm.ErrGone.
func (s *Service) attach(ctx context.Context, vm model.VM) (*live, error) {
	driver, err := s.pickDriver(ctx, vm.Runtime.Driver)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	m, err := driver.Attach(bounded, s.record(vm))
	if errors.Is(err, vmm.ErrGone) {
		l := newLive(vm.ID, vm.Runtime.Generation, nil)
		if vm.State != model.VMStarting {
			l.setUp()
		}
		s.undoPrepared(ctx, vm.ID, vm.Runtime.Generation)
		end := vmm.Exit{Reason: vmm.ExitUnknown, At: s.cfg.Now()}
		_, recErr := s.recordExit(ctx, l, end, consolePath(vm))
		return nil, errors.Join(err, recErr)
	}
	if err != nil {
		return nil, err
	}
	l := newLive(vm.ID, vm.Runtime.Generation, m)
	if vm.State != model.VMStarting {
		l.setUp()
	}
	s.adopt(ctx, l, consolePath(vm))
	s.expire(ctx, vm, l)
	if vm.State == model.VMUnknown {
		_, err = s.setState(ctx, vm.ID, model.VMRunning, "")
	}
	return l, err
}
