package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVolumePruneCommand(a *app) *cobra.Command {
	var dryRun, force bool
	cmd := &cobra.Command{
		Use:   "prune --force | --dry-run",
		Short: "delete the volumes that no VM mounts",
		Long: "Deletes the volumes that no VM mounts, running or not, with what is on them, and prints\n" +
			"their names.",
		Example: "  banger volume prune --dry-run\n  banger volume prune --force",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			if !dryRun && !force {
				return usageError("banger volume prune", "what is on the volumes would be lost: give --force").
					WithHint("banger volume prune --dry-run lists them")
			}
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			gone, err := api.PruneVolumes(ctx, rpc.VolumePruneParams{DryRun: dryRun})
			return showNames(a, gone, volumeName, err)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the names alone")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "delete them")
	return cmd
}
