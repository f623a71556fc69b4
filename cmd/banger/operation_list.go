package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

func newOperationListCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "list long calls",
		Example: "  banger operation list\n  banger operations --json",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runOperationList(ctx, a, opts)
		}),
	}
	opts.add(cmd)
	return cmd
}

func runOperationList(ctx context.Context, a *app, opts *listOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	operations, err := api.ListOperations(ctx)
	if err != nil {
		return err
	}
	return showList(a, operations, operationID, func(ops []model.Operation) table { return operationTable(ops, opts, a.now()) })
}

func operationTable(ops []model.Operation, opts *listOptions, now time.Time) table {
	t := table{header: []string{"ID", "KIND", "OBJECT", "STATE", "STAGE", "TOOK", "STARTED"}}
	for _, op := range ops {
		t.rows = append(t.rows, []string{
			opts.id(op.ID), op.Kind, opts.cut(op.Object, 40), string(op.State),
			currentStage(op), formatMillis(operationMillis(op, now)), formatAge(now, op.StartedAt),
		})
	}
	return t
}

// currentStage is the stage that runs, "-" when none does.
func currentStage(op model.Operation) string {
	for _, stage := range op.Stages {
		if !stage.Done {
			return stage.Name
		}
	}
	return "-"
}

// operationMillis is how long op took, or has taken until now.
func operationMillis(op model.Operation, now time.Time) int64 {
	end := op.EndedAt
	if end.IsZero() {
		end = now
	}
	return max(end.Sub(op.StartedAt).Milliseconds(), 0)
}
