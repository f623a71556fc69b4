package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelBuildCommand(a *app) *cobra.Command {
	var p rpc.KernelBuildParams
	cmd := &cobra.Command{
		Use:   "build [flags] [NAME]",
		Short: "build a kernel from source",
		Long: "Builds a kernel with everything that a guest needs built in, as an ordinary user: from the\n" +
			"distribution's source package, a kernel tree, or an archive of one. Flavours: tiny, net (tunnels,\n" +
			"WireGuard, policy routing, nftables), docker (net and what container engines need), debug. A build\n" +
			"that is ended goes on where it was when the same command is given again.",
		Example: "  banger kernel build tiny\n" +
			"  banger kernel build --flavour docker --jobs 8\n" +
			"  banger kernel build --source ./linux-6.12 --fragment ./more.config mine",
		Args: wantArgs(0, 1, "NAME"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				p.Name = args[0]
			}
			return runKernelBuild(ctx, a, p)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&p.Flavour, "flavour", "", "`FLAVOUR`: tiny, net, docker or debug; default: tiny")
	flags.StringVar(&p.Source, "source", "", "`PATH` of a kernel tree or an archive of one; default: the distribution's package")
	flags.StringArrayVar(&p.Fragments, "fragment", nil, "`FILE` with more options, CONFIG_NAME=value; may be given again")
	flags.IntVar(&p.Jobs, "jobs", 1, "`N` compilers at a time")
	return cmd
}

func runKernelBuild(ctx context.Context, a *app, p rpc.KernelBuildParams) error {
	var err error
	if p.Source != "" {
		if p.Source, err = a.abs(p.Source); err != nil {
			return err
		}
	}
	for i := range p.Fragments {
		if p.Fragments[i], err = a.abs(p.Fragments[i]); err != nil {
			return err
		}
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	kernel, err := api.BuildKernel(ctx, p, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, kernel, kernel.Name)
}
