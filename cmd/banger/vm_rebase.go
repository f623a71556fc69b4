package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVMRebaseCommand(a *app) *cobra.Command {
	var p rpc.VMRebaseParams
	var yes bool
	cmd := &cobra.Command{
		Use:   "rebase [flags] VM IMAGE",
		Short: "move a VM to another image",
		Long: "Gives a VM a new root disk, made of another image, pulled first when it is not here.\n" +
			"What is on the work disk and on volumes stays; everything else that was changed in\n" +
			"the VM is lost. What was said when the VM was made still holds. A VM that runs is\n" +
			"refused, unless --force is given. The VM is left stopped. On a terminal it asks first,\n" +
			"unless --force or --yes is given.",
		Example:           "  banger vm rebase dev debian:trixie",
		Args:              wantArgs(2, 2, "VM IMAGE"),
		ValidArgsFunction: a.names(vmNames, false),
	}
	cmd.Flags().BoolVarP(&p.Force, "force", "f", false, "stop the VM when it runs, and do not ask")
	enumFlag(cmd.Flags(), &p.Pull, "pull", "pull the image when it is not here, or never", "missing", "never")
	cmd.Flags().StringVar(&p.Platform, "platform", "", "`OS/ARCH` of an image to pull")
	_ = cmd.RegisterFlagCompletionFunc("pull", words("missing", "never")) // fails for unknown flags alone
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		if sure, err := a.sureToReplace(ctx, args[:1], p.Force || yes); err != nil || !sure {
			return err
		}
		image, err := a.absoluteRef(args[1])
		if err != nil {
			return err
		}
		p.Name, p.Image = args[0], image
		api, err := a.connect(ctx)
		if err != nil {
			return err
		}
		bar := a.newProgress(true)
		vm, err := api.RebaseVM(ctx, p, bar.report)
		bar.finish()
		if err != nil {
			return err
		}
		return showName(a, vm, vm.Name)
	})
	return cmd
}
