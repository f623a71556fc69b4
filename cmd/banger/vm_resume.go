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
			return runVMResume(ctx, a, targets, args)
		}),
	}
	targets.add(a, cmd, model.VMPaused)
	return cmd
}

func runVMResume(ctx context.Context, a *app, targets *vmTargets, args []string) error {
	vms, err := eachVM(ctx, a, silentProgress{}, targets, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.ResumeVM(ctx, rpc.NameParams{Name: name})
	})
	return showNames(a, vms, vmName, err)
}
