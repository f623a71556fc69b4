package vm

import (
	"context"
	"log/slog"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/rpc"
)

// commandHook starts the command of a detached run again whenever its VM is
// started again. A command that is not there any more does not fail the start:
// its user could never get in to mend it.
func commandHook(log *slog.Logger) Hook {
	return Hook{
		Name: "command",
		Ready: func(ctx context.Context, vm model.VM, agent *guest.Client) error {
			if len(vm.Spec.Command) == 0 {
				return nil
			}
			status, err := agent.Exec(ctx, planExec(vm, rpc.VMExecParams{Argv: vm.Spec.Command, Detach: true}), guest.Stdio{})
			if err != nil {
				return err
			}
			if status.Code != 0 {
				log.Warn("the command of a VM could not be started again", "vm", vm.Name, "code", status.Code, "err", status.Err)
			}
			return nil
		},
	}
}
