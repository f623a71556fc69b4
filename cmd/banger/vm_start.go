package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMStartCommand(a *app) *cobra.Command {
	targets := &vmTargets{}
	cmd := &cobra.Command{
		Use:     "start VM...",
		Short:   "boot VMs",
		Long:    "Boots VMs and returns when each answers.",
		Example: "  banger start dev\n  banger start a b c",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMStart(ctx, a, targets, args)
		}),
	}
	targets.add(a, cmd, model.VMStopped, model.VMFailed)
	return cmd
}

func runVMStart(ctx context.Context, a *app, targets *vmTargets, args []string) error {
	bar := a.newProgress(true)
	vms, err := eachVM(ctx, a, bar, targets, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.StartVM(ctx, rpc.NameParams{Name: name}, bar.report)
	})
	return showNames(a, vms, vmName, err)
}
