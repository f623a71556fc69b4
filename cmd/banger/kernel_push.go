package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelPushCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "push KERNEL REGISTRY/NAME[:TAG]",
		Short: "write a kernel to a registry",
		Long: "Writes a kernel on this host to an OCI registry, with its modules, and prints the reference\n" +
			"that pulls exactly this one.",
		Example:           "  banger kernel push debian-12-cloud registry.example/kernels/debian-12-cloud:amd64",
		Args:              wantArgs(2, 2, "KERNEL", "REF"),
		ValidArgsFunction: a.names(kernelNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			bar := a.newProgress(true)
			pushed, err := api.PushKernel(ctx, rpc.KernelPushParams{Name: args[0], Ref: args[1]}, bar.report)
			bar.finish()
			if err != nil {
				return err
			}
			return showName(a, pushed, pushed.Ref)
		}),
	}
}
