package vm

import (
	"context"
	"fmt"

	"banger/internal/model"
	"banger/internal/operation"
)

// bootOrFallBack boots. A kernel that was chosen for the VM since it last came
// up and does not boot is given up: the VM goes back to the one before, and
// boots with that.
func (s *Service) bootOrFallBack(ctx context.Context, op *operation.Op, vm model.VM, driver picked, boot bootSet) (model.VM, error) {
	booted, err := s.bootRetrying(ctx, op, vm, driver, boot)
	if vm.FallbackKernel == nil {
		return booted, err
	}
	if err == nil {
		return s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error {
			vm.FallbackKernel = nil
			return nil
		})
	}
	if model.CodeOf(err) != model.CodeBoot || ctx.Err() != nil {
		return booted, err
	}
	vm, boot, backErr := s.fallBack(ctx, op, vm, boot.name)
	if backErr != nil {
		return booted, fmt.Errorf("%w; going back to the kernel before: %w", err, backErr)
	}
	return s.bootRetrying(ctx, op, vm, driver, boot)
}

// fallBack restores the kernel before in the spec and finds it.
func (s *Service) fallBack(ctx context.Context, op *operation.Op, vm model.VM, failed string) (model.VM, bootSet, error) {
	vm, err := s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error {
		if vm.FallbackKernel != nil {
			vm.Spec.Kernel, vm.FallbackKernel = *vm.FallbackKernel, nil
		}
		return nil
	})
	if err != nil {
		return vm, bootSet{}, err
	}
	boot, err := s.bootSetFor(ctx, vm, op.Report)
	if err != nil {
		return vm, boot, err
	}
	note := fmt.Sprintf("%s does not boot with kernel %s: it is back on %s", vm.Name, failed, boot.name)
	op.Report(model.Progress{Note: note})
	s.rows.tell(model.Event{ID: vm.ID, Name: vm.Name, Action: "kernel-fallback", Detail: note})
	return vm, boot, nil
}
