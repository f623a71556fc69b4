package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVolumeCreateCommand(a *app) *cobra.Command {
	var size sizeValue
	cmd := &cobra.Command{
		Use:   "create [flags] NAME",
		Short: "make an empty volume",
		Long: "Makes an empty ext4 volume, for -v NAME:/path of run and create, and prints its name.\n" +
			"It takes space on this host for what is written to it alone.",
		Example: "  banger volume create data\n  banger volume create --size 100G models",
		Args:    wantArgs(1, 1, "NAME"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			v, err := api.CreateVolume(ctx, rpc.VolumeCreateParams{Name: args[0], SizeBytes: int64(size)})
			if err != nil {
				return err
			}
			return showName(a, v, v.Name)
		}),
	}
	cmd.Flags().Var(&size, "size", "its size; default: 10G")
	return cmd
}
