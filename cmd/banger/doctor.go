package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newDoctorCommand(a *app) *cobra.Command {
	var p rpc.CheckParams
	cmd := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "check what banger needs of this host",
		Long: "Checks the hypervisor, programs, space, permissions, limits, the database and what is\n" +
			"kept, and says what to do next. Exits with 1 when something cannot work.",
		Example: "  banger doctor\n  banger doctor --fix\n  banger doctor --json",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runDoctor(ctx, a, p)
		}),
	}
	cmd.Flags().BoolVar(&p.Fix, "fix", false, "mend what can be mended without losing anything")
	return cmd
}

// runDoctor tells of a daemon that does not start as of any other finding.
func runDoctor(ctx context.Context, a *app, p rpc.CheckParams) error {
	api, err := a.connect(ctx)
	var checks []model.Check
	if err == nil {
		checks, err = api.Doctor(ctx, p)
	}
	if code := model.CodeOf(err); code == model.CodeCanceled || code == model.CodeTimeout {
		return err
	}
	if err != nil {
		checks = append(checks, model.Check{Name: "daemon", Level: model.CheckFail, Message: err.Error(), Hint: model.HintOf(err)})
	}
	return a.showChecks(checks)
}

// showChecks prints findings. One that fails makes the exit code 1.
func (a *app) showChecks(checks []model.Check) error {
	failed := func(c model.Check) bool { return c.Level == model.CheckFail }
	err := showList(a, checks, func(c model.Check) string { return c.Name }, checkTable)
	if err == nil && slices.ContainsFunc(checks, failed) {
		return &reported{code: exitError}
	}
	return err
}

func checkTable(checks []model.Check) table {
	t := table{header: []string{"CHECK", "RESULT", "WHAT", "NEXT"}}
	for _, c := range checks {
		t.rows = append(t.rows, []string{c.Name, string(c.Level), c.Message, firstOf(c.Hint, "-")})
	}
	return t
}
