package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// shutdownAnswer is the answer of 'banger system shutdown --json'.
type shutdownAnswer struct {
	Stopped bool     `json:"stopped"`         // false: no daemon ran
	Ended   []string `json:"ended,omitempty"` // ids of the operations that were under way
}

func newSystemShutdownCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "shutdown",
		Short:   "end the daemon",
		Long:    "Ends the daemon, and the long calls under way, which it names. VMs go on; the next command starts the daemon again.",
		Example: "  banger system shutdown",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runSystemShutdown(ctx, a)
		}),
	}
}

func runSystemShutdown(ctx context.Context, a *app) error {
	var ended []model.Operation
	api, err := a.dial(ctx)
	if err == nil {
		ended, _ = underWay(ctx, api) // what cannot be listed must not keep the daemon
		err = api.Shutdown(ctx)
	}
	if err != nil && model.CodeOf(err) != model.CodeUnreachable {
		return err
	}
	return a.tellShutdown(err == nil, ended)
}

// underWay returns the operations that end with the daemon.
func underWay(ctx context.Context, api rpc.API) ([]model.Operation, error) {
	all, err := api.ListOperations(ctx)
	return slices.DeleteFunc(all, func(op model.Operation) bool { return op.State != model.OpRunning }), err
}

func (a *app) tellShutdown(stopped bool, ended []model.Operation) error {
	if !stopped {
		ended = nil
	}
	switch {
	case a.flags.json:
		answer := shutdownAnswer{Stopped: stopped}
		for _, op := range ended {
			answer.Ended = append(answer.Ended, op.ID)
		}
		return a.printJSON(answer)
	case a.flags.quiet:
	case !stopped:
		a.say("no daemon runs")
	default:
		for _, op := range ended {
			fmt.Fprintln(a.stderr, note(fmt.Sprintf("ended with the daemon: %s %s (banger operation show %s)", op.Kind, op.Object, op.ID)))
		}
	}
	return nil
}
