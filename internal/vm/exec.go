package vm

import (
	"context"
	"errors"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/wire"
)

// ExecVM runs a process in a VM, which is started first when it does not run.
// It is no operation and takes no lock: a process may run for days.
func (s *Service) ExecVM(ctx context.Context, p rpc.VMExecParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	if len(p.Argv) == 0 || p.Argv[0] == "" {
		return model.ExitStatus{}, model.Errorf(model.CodeInvalid, "there is no command to run in VM %s", p.Name).
			WithHint("banger exec %s -- COMMAND", p.Name)
	}
	vm, err := s.find(ctx, p.Name)
	if err != nil {
		return model.ExitStatus{}, err
	}
	l, err := s.running(ctx, vm)
	if err != nil {
		return model.ExitStatus{}, err
	}
	if err := errors.Join(refusePaused(vm), refuseStalled(vm, l)); err != nil {
		return model.ExitStatus{}, err
	}
	if l == nil || vm.State == model.VMStarting || vm.State == model.VMStopping {
		if vm, l, err = s.wake(ctx, vm, p.NoStart, report); err != nil {
			return model.ExitStatus{}, err
		}
	}
	if stdio.Started != nil {
		stdio.Started(vm)
	}
	return s.execIn(ctx, vm, l, p, stdio)
}

// wake starts a VM for exec and returns its process. StartVM waits for
// whoever starts or stops it at the moment.
func (s *Service) wake(ctx context.Context, vm model.VM, noStart bool, report model.Report) (model.VM, *live, error) {
	if noStart && vm.State != model.VMStarting {
		return vm, nil, model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State).
			WithHint("start it: banger start %s; or leave --no-start out", vm.Name)
	}
	vm, err := s.StartVM(ctx, rpc.NameParams{Name: vm.ID}, report)
	if err != nil {
		return vm, nil, err
	}
	if l := s.lookup(vm.ID); l != nil {
		return vm, l, nil
	}
	return vm, nil, model.Errorf(model.CodeBoot, "VM %s has ended right after its start", vm.Name).
		WithHint("see its console: banger logs %s", vm.Name)
}

// execIn runs a process in a guest that is up.
func (s *Service) execIn(ctx context.Context, vm model.VM, l *live, p rpc.VMExecParams, stdio rpc.Stdio) (model.ExitStatus, error) {
	defer l.work(s.cfg.Now)()
	reach, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	agent, err := l.agent(reach)
	if err != nil {
		return model.ExitStatus{}, s.lost(ctx, vm, l, err)
	}
	status, err := agent.Exec(ctx, planExec(vm, p), guest.Stdio{
		Stdin: stdio.Stdin, Stdout: stdio.Stdout, Stderr: stdio.Stderr,
		Resize: stdio.Resize, Signals: stdio.Signals,
	})
	if err != nil {
		return status, s.lost(ctx, vm, l, err)
	}
	return status, nil
}

// planExec lays a call's wishes over the VM's configuration. It is pure.
func planExec(vm model.VM, p rpc.VMExecParams) wire.ExecRequest {
	c := vm.Spec.Config
	return wire.ExecRequest{
		Argv:       p.Argv,
		Env:        mergeEnv(c.Env, p.Env),
		WorkingDir: firstOf(p.WorkingDir, c.WorkingDir, "/"),
		// The image-spec has an image's own directory made when it is missing;
		// one that a user has mistyped is an error.
		MakeWorkingDir: p.WorkingDir == "" || p.WorkingDir == c.WorkingDir,
		User:           firstOf(p.User, c.User),
		TTY:            p.TTY,
		Size:           p.Size,
		Stdin:          p.Stdin,
		Detach:         p.Detach,
	}
}

// lost explains why a process in a guest could not be run or seen through.
func (s *Service) lost(ctx context.Context, vm model.VM, l *live, err error) error {
	var known *model.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return err
	case !l.awaitGone(ctx):
		return model.Errorf(model.CodeUnreachable, "the agent of VM %s does not answer: %w", vm.Name, err).
			WithHint("see its console: banger logs %s; or restart it: banger restart %s", vm.Name, vm.Name)
	}
	reason := "its process ended"
	if now, err := s.cfg.Store.VM(ctx, vm.ID); err == nil && now.Reason != "" {
		reason = now.Reason
	}
	return model.Errorf(model.CodeBoot, "VM %s went away while the command ran: %s", vm.Name, reason)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
