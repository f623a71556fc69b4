package vm

import (
	"context"
	"errors"

	"banger/internal/model"
	"banger/internal/rpc"
)

// WaitVM returns when the VM has come to what is waited for. It sees the
// states that are committed after it was called, and the one before.
func (s *Service) WaitVM(ctx context.Context, p rpc.VMWaitParams) (model.VM, error) {
	vm, err := s.find(ctx, p.Name)
	if err != nil {
		return vm, err
	}
	for {
		changed := s.rows.nextChange()
		now, err := s.cfg.Store.VM(ctx, vm.ID)
		if model.CodeOf(err) == model.CodeNotFound {
			vm.State, vm.Runtime = model.VMStopped, model.VMRuntime{}
			return vm, waitedForDeleted(vm, p.For)
		}
		if err != nil {
			return vm, err
		}
		vm = now
		if over, err := waitIsOver(vm, p.For); over {
			return vm, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return vm, waitEnded(ctx, vm)
		}
	}
}

// waitIsOver decides whether a wait has come to its end. It is pure.
func waitIsOver(vm model.VM, what rpc.VMAwait) (bool, error) {
	over := false
	switch what {
	case rpc.AwaitRunning:
		over = vm.State == model.VMRunning
	case rpc.AwaitPaused:
		over = vm.State == model.VMPaused
	case rpc.AwaitStopped:
		over = vm.State == model.VMStopped
	default:
		over = ended(vm.State)
	}
	if over || vm.State != model.VMFailed {
		return over, nil
	}
	return true, model.Errorf(model.CodeBoot, "VM %s has failed: %s", vm.Name, vm.Reason).
		WithHint("see its console: banger logs %s", vm.Name)
}

func waitedForDeleted(vm model.VM, what rpc.VMAwait) error {
	if what == rpc.AwaitExit || what == "" {
		return nil
	}
	return model.Errorf(model.CodeNotFound, "VM %s was deleted", vm.Name)
}

func waitEnded(ctx context.Context, vm model.VM) error {
	code := model.CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = model.CodeTimeout
	}
	return model.Errorf(code, "waiting for VM %s, which is %s: %w", vm.Name, vm.State, ctx.Err())
}
