package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newImageTagCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "tag IMAGE NAME",
		Short: "give an image a second name",
		Long: "Gives an image a second name, which shares its files. Each name can be deleted without\n" +
			"the other.",
		Example:           "  banger image tag debian-bookworm base",
		Args:              wantArgs(2, 2, "IMAGE", "NAME"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			bar := a.newProgress(true)
			image, err := api.TagImage(ctx, rpc.ImageTagParams{Name: args[0], New: args[1]}, bar.report)
			bar.finish()
			if err != nil {
				return err
			}
			return showName(a, image, image.Name)
		}),
	}
}
