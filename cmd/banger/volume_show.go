package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVolumeShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show VOLUME",
		Aliases: []string{"inspect"},
		Short:   "show all about a volume",
		Long: "Shows all about a volume. Of the VMs that mount it, those that run with it now have\n" +
			"a star.",
		Example:           "  banger volume show data",
		Args:              wantArgs(1, 1, "VOLUME"),
		ValidArgsFunction: a.names(volumeNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			v, err := api.ShowVolume(ctx, rpc.NameParams{Name: args[0]})
			if err != nil {
				return err
			}
			return showOne(a, v, v.Name, volumeFacts(v))
		}),
	}
}

func volumeFacts(v model.Volume) []fact {
	return []fact{
		{"name", v.Name},
		{"id", v.ID},
		{"state", string(v.State)},
		{"size", positiveSize(v.SizeBytes)},
		{"used", positiveSize(v.UsedBytes)},
		{"VMs", volumeUsers(v)},
		{"directory", v.Dir},
		{"created", formatTime(v.CreatedAt)},
	}
}
