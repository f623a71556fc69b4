package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newOperationCancelCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel OPERATION...",
		Short:             "end long calls",
		Long:              "Ends long calls; what they did so far is undone.",
		Example:           "  banger operation cancel 4f1c",
		Args:              many("OPERATION"),
		ValidArgsFunction: a.names(operationIDs, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runOperationCancel(ctx, a, args)
		}),
	}
}

func runOperationCancel(ctx context.Context, a *app, args []string) error {
	ops, err := each(ctx, a, silentProgress{}, args, func(ctx context.Context, api rpc.API, id string) (model.Operation, error) {
		return api.CancelOperation(ctx, rpc.IDParams{ID: id})
	})
	return showNames(a, ops, operationID, err)
}
