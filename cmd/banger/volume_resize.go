package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVolumeResizeCommand(a *app) *cobra.Command {
	var size sizeValue
	cmd := &cobra.Command{
		Use:   "resize --size SIZE VOLUME",
		Short: "make a volume larger",
		Long: "Makes a volume larger. No VM may run with it; the next one that mounts it to write has\n" +
			"the new size. Volumes never shrink.",
		Example:           "  banger volume resize --size 50G data",
		Args:              wantArgs(1, 1, "VOLUME"),
		ValidArgsFunction: a.names(volumeNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if size == 0 {
				return usageError("banger volume resize", "give --size SIZE")
			}
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			v, err := api.ResizeVolume(ctx, rpc.VolumeResizeParams{Name: args[0], SizeBytes: int64(size)})
			if err != nil {
				return err
			}
			return showName(a, v, v.Name)
		}),
	}
	cmd.Flags().Var(&size, "size", "its size from now on")
	return cmd
}
