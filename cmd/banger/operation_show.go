package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newOperationShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show OPERATION",
		Aliases:           []string{"inspect"},
		Short:             "show all about a long call",
		Example:           "  banger operation show 4f1c",
		Args:              wantArgs(1, 1, "OPERATION"),
		ValidArgsFunction: a.names(operationIDs, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runOperationShow(ctx, a, args)
		}),
	}
}

func runOperationShow(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	op, err := api.ShowOperation(ctx, rpc.IDParams{ID: args[0]})
	if err != nil {
		return err
	}
	return showOne(a, op, op.ID, operationFacts(op, a.now()))
}

func operationFacts(op model.Operation, now time.Time) []fact {
	facts := []fact{
		{"id", op.ID},
		{"kind", op.Kind},
		{"object", op.Object},
		{"state", string(op.State)},
		{"stages", stagesLine(op.Stages)},
		{"took", formatMillis(operationMillis(op, now))},
		{"started", formatTime(op.StartedAt)},
		{"ended", formatTime(op.EndedAt)},
	}
	if op.Error != nil {
		facts = append(facts, fact{"error", op.Error.Msg}, fact{"hint", op.Error.Hint})
	}
	return facts
}

// stagesLine prints stages with their times: "pull 3.1s, build 1.2s".
func stagesLine(stages []model.Stage) string {
	parts := make([]string, len(stages))
	for i, stage := range stages {
		parts[i] = stage.Name + " " + formatMillis(stage.Millis)
		if !stage.Done {
			parts[i] += " so far"
		}
	}
	return strings.Join(parts, ", ")
}
