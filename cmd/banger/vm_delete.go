package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// deleteOptions are the flags of delete.
type deleteOptions struct {
	targets vmTargets
	force   bool
}

func newVMDeleteCommand(a *app) *cobra.Command {
	opts := &deleteOptions{}
	cmd := &cobra.Command{
		Use:     "delete [flags] VM...",
		Aliases: []string{"rm", "remove"},
		Short:   "delete VMs and their disks (rm)",
		Long:    "Deletes VMs and their disks. A VM that runs is refused, unless --force is given.",
		Example: "  banger rm dev\n  banger rm -f --all\n  banger rm --filter state=failed --filter name=ci-*",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMDelete(ctx, a, opts, args)
		}),
	}
	opts.targets.add(a, cmd)
	cmd.Flags().BoolVarP(&opts.force, "force", "f", false, "kill VMs that run")
	return cmd
}

func runVMDelete(ctx context.Context, a *app, opts *deleteOptions, args []string) error {
	bar := a.newProgress(true)
	vms, err := eachVM(ctx, a, bar, &opts.targets, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.DeleteVM(ctx, rpc.VMDeleteParams{Name: name, Force: opts.force}, bar.report)
	})
	return showNames(a, vms, vmName, err)
}
