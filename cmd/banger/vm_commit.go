package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVMCommitCommand(a *app) *cobra.Command {
	var push bool
	cmd := &cobra.Command{
		Use:   "commit [flags] VM NAME|REF",
		Short: "make an image of the root disk of a stopped or paused VM",
		Long: "Makes an image of what a stopped VM has on its root disk. The image is that of the VM with\n" +
			"one more layer, which holds what has changed. Of a paused VM it has what a power cut would\n" +
			"leave: run sync in the guest before. Given a reference of a registry, the image\n" +
			"has the name that a pull would give it; --push writes it there.",
		Example: "  banger stop web && banger vm commit web web-configured\n" +
			"  banger vm commit --push web registry.example/team/web:v2",
		Args:              wantArgs(2, 2, "VM", "NAME"),
		ValidArgsFunction: a.names(vmNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMCommit(ctx, a, args[0], args[1], push)
		}),
	}
	cmd.Flags().BoolVar(&push, "push", false, "write the image to the registry of REF too")
	return cmd
}

func runVMCommit(ctx context.Context, a *app, vm, to string, push bool) error {
	if push && !strings.ContainsAny(to, "/:") {
		return usageError("banger vm commit", "--push needs a reference in place of the name %q", to)
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	image, err := api.CommitVM(ctx, rpc.VMCommitParams{Name: vm, Image: to}, bar.report)
	bar.finish()
	switch {
	case err != nil:
		return err
	case push:
		return pushImage(ctx, a, api, image.Name, to)
	}
	return showName(a, image, image.Name)
}
