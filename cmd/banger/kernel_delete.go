package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newKernelDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "delete KERNEL...",
		Aliases:           []string{"rm", "remove"},
		Short:             "delete kernels",
		Long:              "Deletes kernels. One that an image or a VM needs is refused.",
		Example:           "  banger kernel rm debian-12",
		Args:              many("KERNEL"),
		ValidArgsFunction: a.names(kernelNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelDelete(ctx, a, args)
		}),
	}
}

func runKernelDelete(ctx context.Context, a *app, args []string) error {
	kernels, err := each(ctx, a, silentProgress{}, args, func(ctx context.Context, api rpc.API, name string) (model.Kernel, error) {
		return api.DeleteKernel(ctx, rpc.NameParams{Name: name})
	})
	return showNames(a, kernels, kernelName, err)
}
