package vm

import (
	"context"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// runStopGrace is how long what is left in a guest may take to end after the
// command of `run` has, or when its VM is deleted as it runs.
const runStopGrace = 2 * time.Second

// RunVM is docker's run: create, start, one process, stop.
//
//	1 plan     the image's entrypoint and the arguments make a command
//	2 create   and start, as one operation
//	3 process  its bytes go to and from the caller
//	4 stop     when it ends or the caller goes; with AutoRemove the VM is deleted
//
// Detached, the process is left to itself and 4 is left to the user; it is
// started again with the VM.
func (s *Service) RunVM(ctx context.Context, p rpc.VMRunParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	vm, argv, err := s.createForRun(ctx, p, report) // 1, 2
	if err != nil {
		return model.ExitStatus{}, err
	}
	if !p.Detach {
		defer s.endRun(ctx, vm) // 4
	}
	if stdio.Started != nil {
		stdio.Started(vm)
	}
	l := s.lookup(vm.ID)
	if l == nil {
		return model.ExitStatus{}, model.Errorf(model.CodeBoot, "VM %s has ended right after its start", vm.Name)
	}
	if err := failpoint.Hit(ctx, "vm.run/started"); err != nil {
		return model.ExitStatus{}, err
	}
	if len(argv) == 0 {
		return model.ExitStatus{}, nil
	}
	status, err := s.execIn(ctx, vm, l, rpc.VMExecParams{ // 3
		Argv: argv, TTY: p.TTY, Stdin: p.Stdin, Size: p.Size, Detach: p.Detach,
	}, stdio)
	if err == nil && p.Detach && status.Code == 0 {
		_, err = s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error {
			vm.Spec.Command = argv
			return nil
		})
	}
	return status, err
}

// createForRun makes the VM, and its command before anything is booted. A
// detached VM needs no command: it is a machine to exec into.
func (s *Service) createForRun(ctx context.Context, p rpc.VMRunParams, report model.Report) (vm model.VM, argv []string, err error) {
	vm, err = operation.Do(ctx, s.cfg.Ops, "vm.run", firstOf(p.Create.Name, p.Create.Image, "the default image"), report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		p.Create.Start = true
		vm, err := s.create(ctx, op, p.Create)
		if err != nil {
			return vm, err
		}
		if argv, err = mainArgv(vm.Spec.Config, p.Argv); err != nil && !p.Detach {
			return vm, err
		}
		if err := failpoint.Hit(ctx, "vm.run/planned"); err != nil {
			return vm, err
		}
		unlock, err := s.lock(ctx, vm.ID)
		if err != nil {
			return vm, err
		}
		defer unlock()
		return s.start(ctx, op, vm)
	})
	return vm, argv, err
}

// endRun stops the VM of a command that has ended. The caller may be gone.
func (s *Service) endRun(ctx context.Context, vm model.VM) {
	ctx = context.WithoutCancel(ctx)
	l := s.lookup(vm.ID)
	if l == nil {
		return
	}
	err := failpoint.Hit(ctx, "vm.run/ended")
	if err != nil {
		s.cfg.Log.Error("ending a run", "vm", vm.Name, "err", err)
	}
	if vm.Spec.AutoRemove {
		err = s.discard(ctx, vm, l)
	} else {
		grace := int(runStopGrace / time.Second)
		_, err = s.StopVM(ctx, rpc.VMStopParams{Name: vm.ID, GraceSeconds: &grace}, model.Discard)
	}
	if err != nil {
		s.cfg.Log.Error("stopping a VM whose command has ended", "vm", vm.Name, "err", err)
	}
}
