package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelTestCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "test [KERNEL]",
		Short: "boot a kernel and try what it can do",
		Long: "Boots a kernel, the default one when none is named, in a machine of its own with nothing but\n" +
			"the agent, says how long that took and what works: virtio, vsock, overlay, tun, nftables. What\n" +
			"was found is kept and shown by kernel show.",
		Example:           "  banger kernel test\n  banger kernel test debian-12",
		Args:              wantArgs(0, 1, "KERNEL"),
		ValidArgsFunction: a.names(kernelNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			p := rpc.KernelTestParams{}
			if len(args) > 0 {
				p.Name = args[0]
			}
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			bar := a.newProgress(true)
			kernel, err := api.TestKernel(ctx, p, bar.report)
			bar.finish()
			if err != nil {
				return err
			}
			facts := append([]fact{{"name", kernel.Name}, {"version", kernel.Version}}, testFacts(kernel.Test)...)
			return showOne(a, kernel, kernel.Name, facts)
		}),
	}
}
