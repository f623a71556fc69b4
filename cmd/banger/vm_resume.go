package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMResumeCommand(a *app) *cobra.Command {
	targets := &vmTargets{}
	cmd := &cobra.Command{
		Use:     "resume [flags] VM...",
		Aliases: []string{"unpause"},
		Short:   "let paused VMs go on (unpause)",
		Example: "  banger resume dev\n  banger resume --all",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return callEachVM(ctx, a, targets, args, rpc.API.ResumeVM)
		}),
	}
	targets.add(a, cmd, model.VMPaused)
	return cmd
}
