package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelPruneCommand(a *app) *cobra.Command {
	var p rpc.KernelPruneParams
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "delete the kernels that nothing needs",
		Long: "Deletes every kernel that neither an image nor a VM needs, except the default one, and\n" +
			"prints their names.",
		Example: "  banger kernel prune --dry-run\n  banger kernel prune",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			pruned, err := api.PruneKernels(ctx, p)
			return showNames(a, pruned, kernelName, err)
		}),
	}
	cmd.Flags().BoolVar(&p.DryRun, "dry-run", false, "only print what would be deleted")
	return cmd
}
