package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// pruneOptions are the flags of prune.
type pruneOptions struct {
	filters []string
	dryRun  bool
	force   bool
}

func newVMPruneCommand(a *app) *cobra.Command {
	opts := &pruneOptions{}
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "delete the VMs that are stopped or failed",
		Long: "Deletes the VMs that are stopped or failed, with their disks. On a terminal it shows\n" +
			"them and asks first; elsewhere --force is needed.",
		Example: "  banger vm prune --dry-run\n  banger vm prune -f --filter label=ci --filter until=24h",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runVMPrune(ctx, a, opts)
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&opts.filters, "filter", nil, "only VMs with `KEY=VALUE`; see 'banger list --help'")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "print them and delete nothing")
	flags.BoolVarP(&opts.force, "force", "f", false, "do not ask")
	_ = cmd.RegisterFlagCompletionFunc("filter", filterKeys())
	return cmd
}

// runVMPrune deletes what it has shown: VMs that stop meanwhile are kept.
func runVMPrune(ctx context.Context, a *app, opts *pruneOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	p := rpc.VMPruneParams{Filters: opts.filters, DryRun: true}
	found, err := api.PruneVMs(ctx, p, model.Discard)
	if err != nil || opts.dryRun || len(found) == 0 {
		return showNames(a, found, summaryName, err)
	}
	if !opts.force {
		sure, err := a.confirm(ctx, fmt.Sprintf("delete %s and their disks", listNames(project(found, summaryName))), "banger vm prune --force")
		if err != nil || !sure {
			return err
		}
	}
	p.DryRun, p.IDs = false, project(found, func(vm model.VMSummary) string { return vm.ID })
	bar := a.newProgress(true)
	pruned, err := api.PruneVMs(ctx, p, bar.report)
	bar.finish()
	return showNames(a, pruned, summaryName, err)
}

// listNames puts a few names into a sentence.
func listNames(names []string) string {
	const shown = 10
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// confirm asks whether to do something, on a terminal alone: elsewhere it is
// an error whose hint is the command that does not ask.
func (a *app) confirm(ctx context.Context, doing, unasked string) (bool, error) {
	if !isTerminal(a.stdin) || a.flags.json {
		return false, model.Errorf(model.CodeInvalid, "nobody can be asked whether to %s", doing).WithHint("%s", unasked)
	}
	fmt.Fprintf(a.stderr, "%s? [y/N] ", printable(doing))
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.stdin).ReadString('\n') // no line is no
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		return answer == "y" || answer == "yes", nil
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return false, context.Cause(ctx)
	}
}
