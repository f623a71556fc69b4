package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newImagePromoteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "promote IMAGE",
		Short: "give a registered image files of its own",
		Long: "Copies the files of a registered image, so that it no longer needs those of the user.\n" +
			"An image that a VM uses is refused.",
		Example:           "  banger image promote mine",
		Args:              wantArgs(1, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			bar := a.newProgress(true)
			image, err := api.PromoteImage(ctx, rpc.NameParams{Name: args[0]}, bar.report)
			bar.finish()
			if err != nil {
				return err
			}
			return showName(a, image, image.Name)
		}),
	}
}
