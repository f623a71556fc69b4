package main

import (
	"context"

	"github.com/spf13/cobra"
)

// createOptions are the flags of create.
type createOptions struct {
	vm    vmFlags
	start bool
}

func newVMCreateCommand(a *app) *cobra.Command {
	opts := &createOptions{}
	cmd := &cobra.Command{
		Use:   "create [flags] [IMAGE]",
		Short: "create a VM without running it",
		Long: "Creates a stopped VM from an image, pulled first when it is not here, and prints its\n" +
			"name. Without IMAGE the default image is used.",
		Example: "  banger create --name dev -m 2G debian:bookworm\n" +
			"  banger create --start debian:bookworm",
		Args:              wantArgs(0, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
	}
	opts.vm.add(a, cmd)
	cmd.Flags().BoolVar(&opts.start, "start", false, "boot the VM too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.action(func(ctx context.Context, args []string) error {
			return runVMCreate(ctx, a, cmd, opts, args)
		})(cmd, args)
	}
	return cmd
}

func runVMCreate(ctx context.Context, a *app, cmd *cobra.Command, opts *createOptions, args []string) error {
	image := ""
	if len(args) > 0 {
		image = args[0]
	}
	p, err := opts.vm.params(a, cmd, image)
	if err != nil {
		return err
	}
	p.Start = opts.start
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	vm, err := api.CreateVM(ctx, p, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, vm, vm.Name)
}
