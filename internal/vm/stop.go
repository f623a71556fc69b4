package vm

import (
	"context"
	"errors"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

const (
	// defaultGrace is how long a guest's processes have to end.
	defaultGrace = 10 * time.Second
	// powerOffTime is what a guest has beyond that to sync and switch off.
	powerOffTime = 10 * time.Second
	// killTime bounds the wait for a killed process to be gone.
	killTime = 10 * time.Second
)

// StopVM switches a VM off: the agent is asked, and after the grace the
// process is killed. A VM that does not run is left as it is.
func (s *Service) StopVM(ctx context.Context, p rpc.VMStopParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.stop", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, unlock, err := s.lockNamed(ctx, p.Name)
		if err != nil {
			return vm, err
		}
		defer unlock()
		if vm.Spec.AutoRemove { // it is deleted then
			if _, err := s.findWhole(ctx, p.Name); err != nil {
				return vm, err
			}
		}
		return s.stop(ctx, op, vm, graceOf(p))
	})
}

func graceOf(p rpc.VMStopParams) time.Duration {
	if p.GraceSeconds == nil {
		return defaultGrace
	}
	return time.Duration(*p.GraceSeconds) * time.Second
}

// stop needs the VM's lock. Once begun it is carried through, whatever
// becomes of the caller: a guest that was told to switch off cannot be told
// to stay.
func (s *Service) stop(ctx context.Context, op *operation.Op, vm model.VM, grace time.Duration) (model.VM, error) {
	l, err := s.running(ctx, vm)
	if err != nil {
		return vm, err
	}
	if l == nil {
		return s.stayDown(ctx, vm)
	}
	if err := failpoint.Hit(ctx, "vm.stop/guarded"); err != nil {
		return vm, err
	}
	op.Stage("stop")
	ctx = context.WithoutCancel(ctx)
	if vm.State == model.VMPaused { // a paused guest cannot switch itself off
		if vm, err = s.resume(ctx, vm, l); err != nil {
			return vm, err
		}
	}
	if err := s.markStopping(ctx, l); errors.Is(err, errEnded) {
		return s.endedAlready(ctx, vm, l)
	} else if err != nil {
		return vm, err
	}
	if err := failpoint.Hit(ctx, "vm.stop/intended"); err != nil {
		return vm, err
	}
	l.expect(model.VMStopped, "")
	s.powerOff(ctx, l, grace)
	if err := failpoint.Hit(ctx, "vm.stop/asked"); err != nil {
		return vm, err
	}
	if !l.isGone() {
		op.Stage("kill")
		if err := s.kill(ctx, l); err != nil {
			return vm, err
		}
	}
	return s.afterStop(ctx, vm)
}

// markStopping writes that a VM is being stopped. errEnded: its end is in the
// row already, and must stay there.
func (s *Service) markStopping(ctx context.Context, l *live) error {
	_, err := s.cfg.Store.UpdateVM(ctx, l.vmID, func(vm *model.VM) error {
		if vm.Runtime.Generation != l.generation {
			return errEnded
		}
		vm.State, vm.Reason = model.VMStopping, ""
		return nil
	})
	return err
}

// endedAlready is a stop that came as the VM ended by itself.
func (s *Service) endedAlready(ctx context.Context, vm model.VM, l *live) (model.VM, error) {
	select {
	case <-l.gone:
	case <-time.After(killTime):
	}
	now, err := s.afterStop(ctx, vm)
	if err != nil {
		return now, err
	}
	return s.stayDown(ctx, now)
}

// stayDown keeps a VM that does not run from coming back by its restart
// policy, as one that is stopped does.
func (s *Service) stayDown(ctx context.Context, vm model.VM) (model.VM, error) {
	s.comebacks.cancel(vm.ID)
	if vm.Ended == "" || vm.Ended == model.EndAsked {
		return vm, nil
	}
	return s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error {
		vm.Ended = model.EndAsked
		return nil
	})
}

// afterStop reads what watch has written. A VM with AutoRemove may be gone.
func (s *Service) afterStop(ctx context.Context, vm model.VM) (model.VM, error) {
	if err := failpoint.Hit(ctx, "vm.stop/ended"); err != nil {
		return vm, err
	}
	now, err := s.cfg.Store.VM(ctx, vm.ID)
	if model.CodeOf(err) == model.CodeNotFound {
		vm.State, vm.Runtime = model.VMStopped, model.VMRuntime{}
		return vm, nil
	}
	return now, err
}

// powerOff asks the guest to switch off and waits until it has, or until the
// grace and the time to power off are over.
func (s *Service) powerOff(ctx context.Context, l *live, grace time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, grace+powerOffTime)
	defer cancel()
	agent, err := l.agent(ctx)
	if err == nil {
		err = agent.Shutdown(ctx, grace)
	}
	if err != nil {
		s.cfg.Log.Warn("asking a guest to switch off", "vm", l.vmID, "err", err)
		return
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
	}
}

// KillVM ends a VM's process at once.
func (s *Service) KillVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	vm, err := s.findWhole(ctx, p.Name)
	if err != nil {
		return model.VM{}, err
	}
	// No lock: a kill must work while a start or stop holds it.
	l, err := s.running(ctx, vm)
	if err != nil && vm.State == model.VMUnknown {
		if killErr := s.killUnknown(ctx, vm); killErr != nil {
			return vm, errors.Join(err, killErr)
		}
		l, err = s.running(ctx, vm)
	}
	if err != nil {
		return vm, err
	}
	if l == nil {
		return s.stayDown(ctx, vm)
	}
	if err := failpoint.Hit(ctx, "vm.kill/found"); err != nil {
		return vm, err
	}
	if err := s.kill(ctx, l); err != nil {
		return vm, err
	}
	return s.afterStop(ctx, vm)
}

// kill ends a process and returns when all is cleaned up after it.
func (s *Service) kill(ctx context.Context, l *live) error {
	if l.isGone() {
		return nil
	}
	l.expect(model.VMStopped, "killed")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	if err := l.machine.Kill(ctx); err != nil {
		return model.Errorf(model.CodeInternal, "killing the process of VM %s: %w", l.vmID, err)
	}
	if err := failpoint.Hit(ctx, "vm.kill/signalled"); err != nil {
		return err
	}
	select {
	case <-l.gone:
		return nil
	case <-ctx.Done():
		return model.Errorf(model.CodeTimeout, "the process of VM %s has not ended within %s of being killed", l.vmID, killTime)
	}
}

// RestartVM stops a VM and starts it again; one that does not run is started.
func (s *Service) RestartVM(ctx context.Context, p rpc.VMStopParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.restart", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, unlock, err := s.lockNamed(ctx, p.Name)
		if err != nil {
			return vm, err
		}
		defer unlock()
		if vm.Spec.AutoRemove {
			return vm, model.Errorf(model.CodeConflict, "VM %s is deleted when it stops, so it cannot be restarted", vm.Name)
		}
		if vm, err = s.stop(ctx, op, vm, graceOf(p)); err != nil {
			return vm, err
		}
		if err := failpoint.Hit(ctx, "vm.restart/stopped"); err != nil {
			return vm, err
		}
		return s.start(ctx, op, vm)
	})
}
