package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImageDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "delete IMAGE...",
		Aliases:           []string{"rm", "remove"},
		Short:             "delete images",
		Long:              "Deletes images. One that a VM uses is refused.",
		Example:           "  banger image rm debian-bookworm",
		Args:              many("IMAGE"),
		ValidArgsFunction: a.names(imageNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImageDelete(ctx, a, args)
		}),
	}
}

func runImageDelete(ctx context.Context, a *app, args []string) error {
	images, err := each(ctx, a, silentProgress{}, args, func(ctx context.Context, api rpc.API, name string) (model.Image, error) {
		return api.DeleteImage(ctx, rpc.NameParams{Name: name})
	})
	return showNames(a, images, imageName, err)
}
