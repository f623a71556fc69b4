package vm

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

// PauseVM stops a VM's processors. A daemon that dies between the two steps
// leaves a VM that is said to run and does not: ResumeVM puts that right.
//
//	1 guard    it runs
//	2 stop     its processors
//	3 record   row, state paused; when that fails they go on
func (s *Service) PauseVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	vm, unlock, err := s.lockNamed(ctx, p.Name)
	if err != nil {
		return vm, err
	}
	defer unlock()
	l, err := s.running(ctx, vm) // 1
	switch {
	case err != nil:
		return vm, err
	case vm.State == model.VMPaused:
		return vm, nil
	case l == nil || vm.State != model.VMRunning:
		return vm, model.Errorf(model.CodeConflict, "VM %s is %s, so it cannot be paused", vm.Name, vm.State).
			WithHint("`banger ps` lists what runs; start it: banger start %s", vm.Name)
	}
	if err := l.machine.Pause(ctx); err != nil { // 2
		return vm, pauseError("pausing", vm, err)
	}
	paused, err := s.setState(ctx, vm.ID, model.VMPaused, "") // 3
	if err != nil {
		return vm, errors.Join(err, l.machine.Resume(context.WithoutCancel(ctx)))
	}
	return paused, nil
}

// ResumeVM lets a paused VM go on. A VM that is said to run is resumed too:
// the row may be behind its process.
func (s *Service) ResumeVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	vm, unlock, err := s.lockNamed(ctx, p.Name)
	if err != nil {
		return vm, err
	}
	defer unlock()
	l, err := s.running(ctx, vm)
	switch {
	case err != nil:
		return vm, err
	case l == nil || vm.State != model.VMPaused && vm.State != model.VMRunning:
		return vm, model.Errorf(model.CodeConflict, "VM %s is %s, not paused", vm.Name, vm.State).
			WithHint("start it: banger start %s", vm.Name)
	}
	return s.resume(ctx, vm, l)
}

// resume needs the VM's lock.
func (s *Service) resume(ctx context.Context, vm model.VM, l *live) (model.VM, error) {
	if err := l.machine.Resume(ctx); err != nil {
		return vm, pauseError("resuming", vm, err)
	}
	return s.setState(ctx, vm.ID, model.VMRunning, "")
}

func pauseError(doing string, vm model.VM, err error) error {
	if errors.Is(err, vmm.ErrGone) {
		return model.Errorf(model.CodeBoot, "%s VM %s: its process has ended", doing, vm.Name).
			WithHint("see its console: banger logs %s", vm.Name)
	}
	return fmt.Errorf("%s VM %s: %w", doing, vm.Name, err)
}

// refusePaused explains why nothing can be done inside a paused VM.
func refusePaused(vm model.VM) error {
	if vm.State != model.VMPaused {
		return nil
	}
	return model.Errorf(model.CodeConflict, "VM %s is paused", vm.Name).
		WithHint("let it go on: banger resume %s", vm.Name)
}
