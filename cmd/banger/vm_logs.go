package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// logsOptions are the flags of logs.
type logsOptions struct {
	follow bool
	tail   int // allLines: all
	daemon bool
	since  string
}

// allLines: no --tail.
const allLines = -1

// vmLog is the answer of 'banger logs --json'.
type vmLog struct {
	Name      string   `json:"name"`
	Lines     []string `json:"lines"`
	Truncated bool     `json:"truncated,omitempty"`
}

func newVMLogsCommand(a *app) *cobra.Command {
	opts := &logsOptions{tail: allLines}
	cmd := &cobra.Command{
		Use:   "logs [flags] VM",
		Short: "print the console of a VM",
		Long: "Prints what the guest wrote to its console. On a terminal sequences that would do\n" +
			"more than set colours are left out; elsewhere every byte is printed.",
		Example:           "  banger logs dev\n  banger logs --daemon --since 1h dev\n  banger logs -f --tail 20 dev",
		Args:              wantArgs(1, 1, "VM"),
		ValidArgsFunction: a.names(vmNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMLogs(ctx, a, opts, args)
		}),
	}
	cmd.Flags().BoolVarP(&opts.follow, "follow", "f", false, "go on until the VM stops")
	cmd.Flags().VarP(countValue{&opts.tail, 0, 1_000_000, "lines"}, "tail", "n", "print the last lines only; with --follow and 0 what is new")
	cmd.Flags().BoolVar(&opts.daemon, "daemon", false, "print what happened to the VM, with times, in place of its console")
	cmd.Flags().StringVar(&opts.since, "since", "", "with --daemon: begin that `TIME` ago (90s, 24h) or at that time")
	return cmd
}

func runVMLogs(ctx context.Context, a *app, opts *logsOptions, args []string) error {
	if opts.since != "" && !opts.daemon {
		return usageError("banger logs", "--since needs --daemon: a console's lines have no times")
	}
	if opts.daemon {
		return runVMHistory(ctx, a, opts, args[0])
	}
	if opts.follow && a.flags.json {
		return usageError("banger logs", "--json and --follow exclude each other")
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	p := rpc.VMLogsParams{Name: args[0], Follow: opts.follow, Tail: opts.tail}
	switch opts.tail {
	case allLines:
		p.Tail = 0
	case 0:
		p.Tail = -1
	}
	if a.flags.json {
		return printLog(ctx, a, api, p)
	}
	out := a.stdout
	if isTerminal(a.stdout) {
		out = &consoleFilter{w: a.stdout}
	}
	err = api.LogsVM(ctx, p, out)
	if opts.follow && codeOf(err) == model.CodeCanceled {
		return &reported{code: exitCanceled} // Ctrl-C is how following ends
	}
	return err
}

// runVMHistory prints the events of a VM.
func runVMHistory(ctx context.Context, a *app, opts *logsOptions, name string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	vm, err := api.ShowVM(ctx, rpc.NameParams{Name: name})
	if err != nil {
		return err
	}
	p := rpc.EventsParams{Filters: []string{"noun=" + model.EventVM, "id=" + vm.ID}, Tail: max(opts.tail, 0), Follow: opts.follow}
	switch {
	case opts.since != "":
		p.Since, err = model.ParseSince(opts.since, a.now())
	case opts.tail == 0 && !opts.follow:
		return nil
	case opts.follow && opts.tail == allLines:
		p.Since = vm.CreatedAt
	}
	if err != nil {
		return err
	}
	return a.printEvents(ctx, api, p)
}

func printLog(ctx context.Context, a *app, api rpc.API, p rpc.VMLogsParams) error {
	var text cappedBuffer
	if err := api.LogsVM(ctx, p, &text); err != nil {
		return err
	}
	log := vmLog{Name: p.Name, Lines: []string{}, Truncated: text.truncated}
	if body := strings.TrimSuffix(strings.ToValidUTF8(text.String(), "\ufffd"), "\n"); body != "" {
		log.Lines = strings.Split(body, "\n")
	}
	return a.printJSON(log)
}
