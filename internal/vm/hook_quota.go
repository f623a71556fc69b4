package vm

import (
	"context"

	"banger/internal/model"
	"banger/internal/quota"
	"banger/internal/rpc"
)

// quotaHook refuses a VM, or a start, with more memory than all VMs that run
// may have together.
func quotaHook(memory *quota.Memory) Hook {
	return Hook{
		Name: "quota",
		Plan: func(_ context.Context, _ rpc.VMCreateParams, _ model.Image, spec *model.VMSpec) error {
			return memory.Check(spec.MemoryMiB)
		},
		Prepare: func(ctx context.Context, vm model.VM) error {
			return memory.Start(ctx, vm.ID, vm.Spec.MemoryMiB)
		},
		Stop: func(_ context.Context, vm model.VM) error {
			memory.End(vm.ID)
			return nil
		},
	}
}
