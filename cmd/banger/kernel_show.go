package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newKernelShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show KERNEL",
		Aliases:           []string{"inspect"},
		Short:             "show all about a kernel",
		Example:           "  banger kernel show debian-12",
		Args:              wantArgs(1, 1, "KERNEL"),
		ValidArgsFunction: a.names(kernelNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelShow(ctx, a, args)
		}),
	}
}

func runKernelShow(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	kernel, err := api.ShowKernel(ctx, rpc.NameParams{Name: args[0]})
	if err != nil {
		return err
	}
	return showOne(a, kernel, kernel.Name, kernelFacts(kernel))
}

func kernelFacts(k model.Kernel) []fact {
	return []fact{
		{"name", k.Name},
		{"version", k.Version},
		{"arch", k.Arch},
		{"distro", k.Distro},
		{"flavour", k.Flavour},
		{"default", yesNo(k.Default)},
		{"modules", yesNo(k.Modules)},
		{"initrd", yesNo(k.Initrd)},
		{"source", k.Source},
		{"digest", k.Digest},
		{"size", positiveSize(k.SizeBytes)},
		{"directory", k.Dir},
		{"created", formatTime(k.CreatedAt)},
	}
}
