package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVMRenameCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rename VM NAME",
		Short: "give a VM another name",
		Long: "Gives a VM another name, whether it runs or not. A host name that was the VM's name\n" +
			"changes with it, in the guest at its next start.",
		Example:           "  banger rename dev old-dev",
		Args:              wantArgs(2, 2, "VM", "NAME"),
		ValidArgsFunction: a.names(vmNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMRename(ctx, a, args)
		}),
	}
}

func runVMRename(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	vm, err := api.RenameVM(ctx, rpc.VMRenameParams{Name: args[0], NewName: args[1]})
	if err != nil {
		return err
	}
	return showName(a, vm, vm.Name)
}
