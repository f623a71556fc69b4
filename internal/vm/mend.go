package vm

import (
	"context"
	"errors"

	"banger/internal/model"
)

// Mend makes rows, run directories and processes agree while the daemon runs:
//
//	unknown                       looked for once more
//	running without a process     looked for, and stopped when it is gone
//	run directories of no VM      removed when nothing runs there
//
// It ends no process.
func (s *Service) Mend(ctx context.Context) error {
	vms, err := s.cfg.Store.VMs(ctx)
	if err != nil {
		return err
	}
	for _, vm := range vms {
		switch vm.State {
		case model.VMUnknown, model.VMRunning, model.VMPaused, model.VMStopping:
			if err := s.mendVM(ctx, vm.ID); err != nil {
				s.cfg.Log.Warn("mending a VM", "vm", vm.Name, "err", err)
			}
		}
	}
	return s.sweep(ctx)
}

// mendVM settles a VM that has no process that we know of.
func (s *Service) mendVM(ctx context.Context, id string) error {
	unlock, err := s.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	vm, err := s.cfg.Store.VM(ctx, id)
	if err != nil {
		return err
	}
	if s.lookup(id) != nil || vm.Runtime.Generation == "" {
		return nil
	}
	err = s.settle(ctx, vm, attachTimeout)
	if err != nil && vm.State != model.VMUnknown {
		_, stateErr := s.setState(ctx, id, model.VMUnknown, err.Error())
		s.seek(ctx, id)
		return errors.Join(err, stateErr)
	}
	return err
}
