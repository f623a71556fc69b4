package vm

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// RenameVM gives a VM another name. Nothing on disk is named after it. A
// guest whose host name is the VM's gets the new one at its next start.
func (s *Service) RenameVM(ctx context.Context, p rpc.VMRenameParams) (model.VM, error) {
	if err := model.ValidateVMName(p.NewName); err != nil {
		return model.VM{}, err
	}
	vm, unlock, err := s.lockNamed(ctx, p.Name)
	if err != nil {
		return vm, err
	}
	defer unlock()
	renamed, err := s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error {
		if vm.Spec.Hostname == vm.Name {
			vm.Spec.Hostname = p.NewName
		}
		vm.Name = p.NewName
		return nil
	})
	if model.CodeOf(err) == model.CodeConflict {
		return vm, model.Errorf(model.CodeConflict, "a VM named %q exists already", p.NewName).
			WithHint("choose another name, or rename that one first: banger vm rename %s NAME", p.NewName)
	}
	return renamed, err
}
