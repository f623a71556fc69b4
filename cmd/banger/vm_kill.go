package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMKillCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "kill VM...",
		Short:             "end VMs at once",
		Long:              "Ends VMs without asking the guests, as if the power was cut.",
		Example:           "  banger kill dev",
		Args:              many("VM"),
		ValidArgsFunction: a.names(vmNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMKill(ctx, a, args)
		}),
	}
}

func runVMKill(ctx context.Context, a *app, args []string) error {
	vms, err := each(ctx, a, silentProgress{}, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.KillVM(ctx, rpc.NameParams{Name: name})
	})
	return showNames(a, vms, vmName, err)
}
