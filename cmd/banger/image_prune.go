package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newImagePruneCommand(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "delete the images that no VM uses",
		Long: "Deletes the images that no VM uses and prints their names. Registered images stay: their\n" +
			"files are the user's.",
		Example: "  banger image prune --dry-run\n  banger image prune",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			images, err := api.PruneImages(ctx, rpc.ImagePruneParams{DryRun: dryRun})
			return showNames(a, images, imageName, err)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only print what would be deleted")
	return cmd
}
