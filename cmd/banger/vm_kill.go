package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMKillCommand(a *app) *cobra.Command {
	targets := &vmTargets{}
	cmd := &cobra.Command{
		Use:     "kill VM...",
		Short:   "end VMs at once",
		Long:    "Ends VMs without asking the guests, as if the power was cut.",
		Example: "  banger kill dev",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return callEachVM(ctx, a, targets, args, rpc.API.KillVM)
		}),
	}
	targets.add(a, cmd, model.VMStarting, model.VMRunning, model.VMPaused, model.VMStopping)
	return cmd
}
