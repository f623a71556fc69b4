package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newOperationWatchCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "watch OPERATION",
		Short: "show a long call until it ends",
		Long: "Shows the progress of a long call until it ends, and fails when the call fails.\n" +
			"Ctrl-C ends the watching alone.",
		Example:           "  banger operation watch 4f1c",
		Args:              wantArgs(1, 1, "OPERATION"),
		ValidArgsFunction: a.names(operationIDs, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runOperationWatch(ctx, a, args)
		}),
	}
}

func runOperationWatch(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	op, err := api.WatchOperation(ctx, rpc.IDParams{ID: args[0]}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	if err := showName(a, op, op.ID); err != nil {
		return err
	}
	return operationError(op)
}

// operationError is the error that an operation ended with.
func operationError(op model.Operation) error {
	switch {
	case op.Error != nil:
		return op.Error
	case op.State == model.OpCanceled:
		return model.Errorf(model.CodeCanceled, "operation %s was canceled", op.ID)
	case op.State == model.OpInterrupted:
		return model.Errorf(model.CodeInternal, "operation %s was interrupted: its daemon went away", op.ID)
	default:
		return nil
	}
}
