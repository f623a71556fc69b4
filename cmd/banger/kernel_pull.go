package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelPullCommand(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "pull [flags] [KERNEL | REGISTRY/NAME[:TAG][@DIGEST]]",
		Short: "get a kernel of the catalog or of a registry",
		Long: "Gets a kernel of the catalog, the default one when none is named, or one that was pushed to\n" +
			"a registry, and prints its name.",
		Example: "  banger kernel pull\n" +
			"  banger kernel list --available\n" +
			"  banger kernel pull --name team registry.example/kernels/tiny:6.1",
		Args:              wantArgs(0, 1, "KERNEL"),
		ValidArgsFunction: a.names(catalogNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelPull(ctx, a, name, args)
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of a registry's kernel here; default: the last part of its repository's name")
	return cmd
}

func runKernelPull(ctx context.Context, a *app, name string, args []string) error {
	p := rpc.KernelPullParams{}
	switch {
	case len(args) > 0 && strings.Contains(args[0], "/"):
		p.Ref, p.Name = args[0], name
	case name != "":
		return usageError("banger kernel pull", "--name needs the reference of a kernel in a registry")
	case len(args) > 0:
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
