package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// versions is the answer of 'banger version'; Daemon is null when none runs.
type versions struct {
	Client model.VersionInfo  `json:"client"`
	Daemon *model.VersionInfo `json:"daemon"`
}

// versionOptions are the flags of version.
type versionOptions struct{ client bool }

func newVersionCommand(a *app) *cobra.Command {
	opts := &versionOptions{}
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the versions of banger and of its daemon",
		Long:    "Prints the versions of banger and of its daemon, which is not started for this.",
		Example: "  banger version\n  banger version --client --json",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runVersion(ctx, a, opts)
		}),
	}
	cmd.Flags().BoolVar(&opts.client, "client", false, "do not ask the daemon")
	return cmd
}

func runVersion(ctx context.Context, a *app, opts *versionOptions) error {
	v := versions{Client: a.build}
	if !opts.client {
		daemon, err := daemonVersion(ctx, a)
		if err != nil {
			return err
		}
		v.Daemon = daemon
	}
	switch {
	case a.flags.json:
		return a.printJSON(v)
	case a.flags.quiet:
		return a.printName(v.Client.Version)
	default:
		return writeFacts(a.stdout, versionFacts(v, opts.client))
	}
}

// daemonVersion is nil when no daemon runs.
func daemonVersion(ctx context.Context, a *app) (*model.VersionInfo, error) {
	api, err := a.dial(ctx)
	var v model.VersionInfo
	if err == nil {
		v, err = api.Version(ctx)
	}
	switch {
	case model.CodeOf(err) == model.CodeUnreachable:
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return &v, nil
	}
}

func versionFacts(v versions, clientOnly bool) []fact {
	facts := []fact{
		{"banger", v.Client.Version},
		{"commit", v.Client.Commit},
		{"built", v.Client.BuildTime},
		{"go", v.Client.GoVersion},
	}
	switch {
	case clientOnly:
		return facts
	case v.Daemon == nil:
		return append(facts, fact{"daemon", "not running"})
	default:
		return append(facts,
			fact{"daemon", v.Daemon.Version},
			fact{"daemon commit", v.Daemon.Commit},
			fact{"daemon pid", positive(v.Daemon.PID)},
			fact{"daemon home", v.Daemon.Home},
			fact{"acceleration", v.Daemon.Accel},
		)
	}
}
