package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVolumeDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "delete VOLUME...",
		Aliases:           []string{"rm", "remove"},
		Short:             "delete volumes and what is on them",
		Long:              "Deletes volumes and what is on them. One that a VM mounts, running or not, is refused.",
		Example:           "  banger volume rm data",
		Args:              many("VOLUME"),
		ValidArgsFunction: a.names(volumeNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			volumes, err := each(ctx, a, silentProgress{}, args, func(ctx context.Context, api rpc.API, name string) (model.Volume, error) {
				return api.DeleteVolume(ctx, rpc.NameParams{Name: name})
			})
			return showNames(a, volumes, volumeName, err)
		}),
	}
}
