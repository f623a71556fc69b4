package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelDefaultCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "default [KERNEL]",
		Short: "show or choose the default kernel",
		Long: "Prints the name of the kernel that is booted when nothing else is said. With KERNEL, which\n" +
			"is to be on this host, that one is from now on.",
		Example:           "  banger kernel default\n  banger kernel default debian-12",
		Args:              wantArgs(0, 1, "KERNEL"),
		ValidArgsFunction: a.names(kernelNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			p := rpc.KernelDefaultParams{}
			if len(args) > 0 {
				p.Name = args[0]
			}
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			kernel, err := api.DefaultKernel(ctx, p)
			if err != nil {
				return err
			}
			return showName(a, kernel, kernel.Name)
		}),
	}
}
