package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	verb := &cobra.Command{}
	attached := &cobra.Command{Annotations: map[string]string{session: "process"}}
	for _, test := range []struct {
		cmd  *cobra.Command
		err  error
		want int
	}{
		{verb, nil, 0},
		{verb, fmt.Errorf("plain"), 1},
		{verb, model.Errorf(model.CodeInvalid, "x"), 2},
		{verb, model.Errorf(model.CodeNotFound, "x"), 3},
		{verb, fmt.Errorf("showing: %w", model.Errorf(model.CodeNotFound, "x")), 3},
		{verb, model.Errorf(model.CodeConflict, "x"), 4},
		{verb, model.Errorf(model.CodeUnreachable, "x"), 5},
		{verb, model.Errorf(model.CodeTimeout, "x"), 124},
		{verb, model.Errorf(model.CodeCanceled, "x"), 130},
		{verb, model.Errorf(model.CodeUnauthorized, "x"), 1},
		{verb, model.Errorf(model.CodeNoSpace, "x"), 1},
		{verb, model.Errorf(model.CodeUnsupported, "x"), 1},
		{verb, model.Errorf(model.CodeIntegrity, "x"), 1},
		{verb, model.Errorf(model.CodeFailed, "x"), 1},
		{verb, model.Errorf(model.CodeLimit, "x"), 1},
		{verb, model.Errorf(model.CodeBoot, "x"), 1},
		{verb, model.Errorf(model.CodeInternal, "x"), 1},
		{verb, fmt.Errorf("asking: %w", context.Canceled), 130},
		{verb, fmt.Errorf("asking: %w", context.DeadlineExceeded), 124},
		{verb, &reported{code: 4}, 4},
		{attached, model.Errorf(model.CodeNotFound, "x"), 125},
		{attached, fmt.Errorf("plain"), 125},
		{attached, &processExit{code: 3}, 3},
		{attached, &processExit{code: 130}, 130},
		{nil, fmt.Errorf("plain"), 1},
	} {
		if got := exitCode(test.cmd, test.err); got != test.want {
			t.Errorf("exitCode(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}

// TestExitTableIsWhole: every code that a command can end with is documented.
func TestExitTableIsWhole(t *testing.T) {
	t.Parallel()
	help := newExitCodesTopic().Long
	for _, code := range []int{exitOK, exitError, exitUsage, exitNotFound, exitConflict, exitUnreachable, exitTimeout, exitOwn, exitNoExec, exitNoCommand, exitCanceled} {
		if !strings.Contains(help, fmt.Sprintf("\n  %-6d ", code)) {
			t.Errorf("help exit-codes does not tell of %d", code)
		}
	}
}
