package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMResetCommand(a *app) *cobra.Command {
	var force, yes bool
	cmd := &cobra.Command{
		Use:   "reset [flags] VM...",
		Short: "make the root disks of VMs anew",
		Long: "Gives VMs new root disks, made of their images. What is on work disks and volumes\n" +
			"stays; everything else that was changed in the VMs is lost. A VM that runs is\n" +
			"refused, unless --force is given. The VMs are left stopped. On a terminal it asks first,\n" +
			"unless --force or --yes is given.",
		Example:           "  banger vm reset dev",
		Args:              many("VM"),
		ValidArgsFunction: a.names(vmNames, true),
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "stop VMs that run, and do not ask")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		if sure, err := a.sureToReplace(ctx, args, force || yes); err != nil || !sure {
			return err
		}
		bar := a.newProgress(true)
		vms, err := each(ctx, a, bar, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
			return api.ResetVM(ctx, rpc.VMResetParams{Name: name, Force: force}, bar.report)
		})
		return showNames(a, vms, vmName, err)
	})
	return cmd
}

// sureToReplace asks, on a terminal alone, whether the root disks of VMs may
// go: scripts have said so by calling.
func (a *app) sureToReplace(ctx context.Context, names []string, said bool) (bool, error) {
	if said || a.flags.json || !isTerminal(a.stdin) {
		return true, nil
	}
	return a.confirm(ctx, fmt.Sprintf("replace the root disk of %s and lose what is on it", listNames(names)), "")
}
