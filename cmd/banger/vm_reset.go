package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMResetCommand(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "reset [flags] VM...",
		Short: "make the root disks of VMs anew",
		Long: "Gives VMs new root disks, made of their images. What is on work disks and volumes\n" +
			"stays; everything else that was changed in the VMs is lost. A VM that runs is\n" +
			"refused, unless --force is given. The VMs are left stopped.",
		Example:           "  banger vm reset dev",
		Args:              many("VM"),
		ValidArgsFunction: a.names(vmNames, true),
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "stop VMs that run")
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		bar := a.newProgress(true)
		vms, err := each(ctx, a, bar, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
			return api.ResetVM(ctx, rpc.VMResetParams{Name: name, Force: force}, bar.report)
		})
		return showNames(a, vms, vmName, err)
	})
	return cmd
}
