package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMStartCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "start VM...",
		Short:             "boot VMs",
		Long:              "Boots VMs and returns when each answers.",
		Example:           "  banger start dev\n  banger start a b c",
		Args:              many("VM"),
		ValidArgsFunction: a.names(vmNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMStart(ctx, a, args)
		}),
	}
}

func runVMStart(ctx context.Context, a *app, args []string) error {
	bar := a.newProgress(true)
	vms, err := each(ctx, a, bar, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.StartVM(ctx, rpc.NameParams{Name: name}, bar.report)
	})
	return showNames(a, vms, vmName, err)
}
