package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newSystemCheckCommand(a *app) *cobra.Command {
	var p rpc.CheckParams
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "compare the database with files and processes",
		Long: "Compares what the database says with the files and processes that there are, and\n" +
			"tells what does not agree. With --fix it looks again for VMs, and removes what is left\n" +
			"of starts, pulls and imports that have ended. It deletes no disk and ends no process.",
		Example: "  banger system check\n  banger system check --fix",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			checks, err := api.CheckState(ctx, p)
			if err != nil {
				return err
			}
			return a.showChecks(checks)
		}),
	}
	cmd.Flags().BoolVar(&p.Fix, "fix", false, "mend what can be mended without losing anything")
	return cmd
}
