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
	tail   int
}

// vmLog is the answer of 'banger logs --json'.
type vmLog struct {
	Name      string   `json:"name"`
	Lines     []string `json:"lines"`
	Truncated bool     `json:"truncated,omitempty"`
}

func newVMLogsCommand(a *app) *cobra.Command {
	opts := &logsOptions{}
	cmd := &cobra.Command{
		Use:   "logs [flags] VM",
		Short: "print the console of a VM",
		Long: "Prints what the guest wrote to its console. On a terminal sequences that would do\n" +
			"more than set colours are left out; elsewhere every byte is printed.",
		Example:           "  banger logs dev\n  banger logs -f --tail 20 dev",
		Args:              wantArgs(1, 1, "VM"),
		ValidArgsFunction: a.names(vmNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMLogs(ctx, a, opts, args)
		}),
	}
	cmd.Flags().BoolVarP(&opts.follow, "follow", "f", false, "go on until the VM stops")
	cmd.Flags().VarP(countValue{&opts.tail, 1, 1_000_000, "lines"}, "tail", "n", "print the last lines only")
	return cmd
}

func runVMLogs(ctx context.Context, a *app, opts *logsOptions, args []string) error {
	if opts.follow && a.flags.json {
		return usageError("banger logs", "--json and --follow exclude each other")
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	p := rpc.VMLogsParams{Name: args[0], Follow: opts.follow, Tail: opts.tail}
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
