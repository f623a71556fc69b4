package vm

import (
	"context"
	"fmt"
	"os"
	"slices"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// DeleteVM removes a VM and all that is its own.
//
//	1 guard    a running VM is refused unless Force is set
//	2 end      the process, if there is one
//	3 intend   row, state deleting: from here Recover finishes the job
//	4 remove   what the features keep elsewhere, the directory, then the row
func (s *Service) DeleteVM(ctx context.Context, p rpc.VMDeleteParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.delete", p.Name, report, func(ctx context.Context, _ *operation.Op) (model.VM, error) {
		vm, err := s.findWhole(ctx, p.Name)
		if err != nil {
			return model.VM{}, err
		}
		vm, unlock, err := s.lockFound(ctx, vm)
		if err != nil {
			return model.VM{}, err
		}
		defer unlock()
		l, err := s.running(ctx, vm) // 1
		if err != nil {
			return vm, err
		}
		if l != nil {
			if !p.Force {
				return vm, model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State).
					WithHint("stop it first (banger stop %s), or delete it as it is: banger rm --force %s", vm.Name, vm.Name)
			}
			if err := s.discard(ctx, vm, l); err != nil { // 2
				return vm, err
			}
		}
		if err := failpoint.Hit(ctx, "vm.delete/guarded"); err != nil {
			return vm, err
		}
		return vm, s.remove(ctx, vm) // 3, 4
	})
}

// discard ends the process of a VM that is deleted then. Its own disks are not
// worth a clean shutdown; what it has yet to write to volumes is.
func (s *Service) discard(ctx context.Context, vm model.VM, l *live) error {
	ctx = context.WithoutCancel(ctx)
	if !writesVolumes(vm) {
		return s.kill(ctx, l)
	}
	if now, err := s.cfg.Store.VM(ctx, vm.ID); err == nil && now.State == model.VMPaused {
		err = l.machine.Resume(ctx) // a paused guest writes nothing
		if err != nil {
			s.cfg.Log.Warn("letting a VM go on that is to write its volumes", "vm", vm.Name, "err", err)
		}
	}
	l.expect(model.VMStopped, "")
	s.powerOff(ctx, l, runStopGrace)
	return s.kill(ctx, l)
}

// writesVolumes tells whether a VM has disks that outlive it.
func writesVolumes(vm model.VM) bool {
	return slices.ContainsFunc(vm.Spec.Volumes, func(m model.VolumeMount) bool { return !m.ReadOnly })
}

// remove deletes a VM that has no process. It may be called again after a
// crash at any point, and on a row that is gone already.
func (s *Service) remove(ctx context.Context, vm model.VM) error {
	s.comebacks.cancel(vm.ID)
	if s.lookup(vm.ID) != nil {
		return model.Errorf(model.CodeConflict, "VM %s still has a process: its files are kept", vm.Name)
	}
	if _, err := s.setState(ctx, vm.ID, model.VMDeleting, ""); err != nil {
		if model.CodeOf(err) == model.CodeNotFound {
			return nil
		}
		return err
	}
	if err := failpoint.Hit(ctx, "vm.delete/intended"); err != nil {
		return err
	}
	if err := s.hooks.delete(ctx, vm); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, "vm.delete/hooked"); err != nil {
		return err
	}
	if err := os.RemoveAll(vm.Dir); err != nil {
		return fmt.Errorf("removing the files of VM %s: %w", vm.Name, err)
	}
	if err := failpoint.Hit(ctx, "vm.delete/removed"); err != nil {
		return err
	}
	if err := s.cfg.Store.DeleteVM(ctx, vm.ID); err != nil {
		return err
	}
	s.imageLeft(ctx, vm.ImageID)
	return nil
}

// imageLeft tells that a VM is no longer made of an image.
func (s *Service) imageLeft(ctx context.Context, imageID string) {
	if s.cfg.ImageLeft != nil && imageID != "" {
		s.cfg.ImageLeft(ctx, imageID)
	}
}
