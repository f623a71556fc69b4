package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// shutdownAnswer is the answer of 'banger system shutdown --json'.
type shutdownAnswer struct {
	Stopped bool `json:"stopped"` // false: no daemon ran
}

func newSystemShutdownCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "shutdown",
		Short:   "end the daemon",
		Long:    "Ends the daemon. VMs go on; the next command starts the daemon again.",
		Example: "  banger system shutdown",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runSystemShutdown(ctx, a)
		}),
	}
}

func runSystemShutdown(ctx context.Context, a *app) error {
	api, err := a.dial(ctx)
	if err == nil {
		err = api.Shutdown(ctx)
	}
	if err != nil && model.CodeOf(err) != model.CodeUnreachable {
		return err
	}
	return a.tellShutdown(err == nil)
}

func (a *app) tellShutdown(stopped bool) error {
	switch {
	case a.flags.json:
		return a.printJSON(shutdownAnswer{Stopped: stopped})
	case !stopped && !a.flags.quiet:
		a.say("no daemon runs")
	}
	return nil
}
