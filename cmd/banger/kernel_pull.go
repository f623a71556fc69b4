package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelPullCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "pull [KERNEL]",
		Short:             "get a kernel of the catalog",
		Long:              "Gets a kernel of the catalog, the default one when none is named, and prints its name.",
		Example:           "  banger kernel pull\n  banger kernel list --available",
		Args:              wantArgs(0, 1, "KERNEL"),
		ValidArgsFunction: a.names(catalogNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelPull(ctx, a, args)
		}),
	}
}

func runKernelPull(ctx context.Context, a *app, args []string) error {
	p := rpc.KernelPullParams{}
	if len(args) > 0 {
		p.Name = args[0]
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	kernel, err := api.PullKernel(ctx, p, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, kernel, kernel.Name)
}
