package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMPauseCommand(a *app) *cobra.Command {
	targets := &vmTargets{}
	cmd := &cobra.Command{
		Use:   "pause [flags] VM...",
		Short: "stop the processors of VMs",
		Long: "Stops the processors of VMs: they use no CPU, and keep their memory, files and\n" +
			"connections. 'banger resume' lets them go on.",
		Example: "  banger pause dev\n  banger pause --filter label=batch",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return callEachVM(ctx, a, targets, args, rpc.API.PauseVM)
		}),
	}
	targets.add(a, cmd, model.VMRunning)
	return cmd
}
