package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/spf13/cobra"
)

func newVMTopCommand(a *app) *cobra.Command {
	opts := &statsOptions{}
	cmd := &cobra.Command{
		Use:   "top [flags]",
		Short: "show the VMs that use most",
		Long: "Shows the VMs that run, the one that uses most first. On a terminal it goes on until\n" +
			"Ctrl-C; elsewhere it looks once.",
		Example: "  banger top\n  banger top --sort memory --json",
		Args:    noArgs(),
	}
	opts.addInterval(cmd)
	enumFlag(cmd.Flags(), &opts.sort, "sort", "what to sort by; default: cpu", "cpu", "memory", "disk", "network", "name")
	_ = cmd.RegisterFlagCompletionFunc("sort", words("cpu", "memory", "disk", "network", "name"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opts.check(cmd); err != nil {
			return err
		}
		return a.action(func(ctx context.Context, _ []string) error {
			return runVMTop(ctx, a, opts)
		})(cmd, args)
	}
	return cmd
}

func runVMTop(ctx context.Context, a *app, opts *statsOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	live := isTerminal(a.stdout) && !a.flags.json
	screen := &redrawn{w: a.stdout, inPlace: live}
	s := sampler{api: api, interval: opts.interval}
	return s.run(ctx, !live, func(samples []sample) error {
		slices.SortStableFunc(samples, sampleOrder(opts.sort))
		if a.flags.json {
			return writeJSON(a.stdout, samples, false)
		}
		return screen.show(statsTable(samples))
	})
}

// sampleOrder is the order of --sort: the most first, but names from a to z.
func sampleOrder(key string) func(x, y sample) int {
	use := func(of func(sample) float64) func(x, y sample) int {
		return func(x, y sample) int { return cmp.Or(cmp.Compare(of(y), of(x)), cmp.Compare(x.Name, y.Name)) }
	}
	switch key {
	case "memory":
		return use(func(s sample) float64 { return float64(s.MemoryBytes) })
	case "disk":
		return use(func(s sample) float64 { return float64(s.ReadPerSec + s.WritePerSec) })
	case "network":
		return use(func(s sample) float64 { return float64(s.RxPerSec + s.TxPerSec) })
	case "name":
		return func(x, y sample) int { return cmp.Compare(x.Name, y.Name) }
	default:
		return use(func(s sample) float64 { return s.CPUPercent })
	}
}
