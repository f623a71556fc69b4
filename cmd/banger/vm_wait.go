package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// maxWait is the longest --timeout of wait, in seconds.
const maxWait = 7 * 24 * 3600

// waitOptions are the flags of wait.
type waitOptions struct {
	targets vmTargets
	what    rpc.VMAwait
	timeout int
}

func newVMWaitCommand(a *app) *cobra.Command {
	opts := &waitOptions{what: rpc.AwaitExit}
	cmd := &cobra.Command{
		Use:   "wait [flags] VM...",
		Short: "wait until VMs run, stop or are paused",
		Long: "Returns when all of the VMs have come to what is waited for:\n\n" +
			"  exit     they have no process: stopped, failed or deleted (default)\n" +
			"  stopped  stopped, and not failed\n" +
			"  running  booted and answering\n" +
			"  paused\n\n" +
			"A VM that fails or is deleted ends the wait for anything but exit with an error.",
		Example: "  banger wait dev\n  banger wait --for running -t 60 a b c",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMWait(ctx, a, opts, args)
		}),
	}
	opts.targets.add(a, cmd)
	words := []string{string(rpc.AwaitRunning), string(rpc.AwaitPaused), string(rpc.AwaitStopped), string(rpc.AwaitExit)}
	enumFlag(cmd.Flags(), &opts.what, "for", "what to wait for", words...)
	cmd.Flags().VarP(countValue{&opts.timeout, 1, maxWait, "seconds"}, "timeout", "t", "give up after that many seconds (exit code 124)")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runVMWait(ctx context.Context, a *app, opts *waitOptions, args []string) error {
	if opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(opts.timeout)*time.Second)
		defer cancel()
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	names, err := opts.targets.names(ctx, a, api, args)
	if err != nil {
		return err
	}
	// All at once: one that is waited for late could come and go unseen.
	vms, err := workOn(ctx, a, api, silentProgress{}, names, max(1, len(names)), func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		vm, err := api.WaitVM(ctx, rpc.VMWaitParams{Name: name, For: opts.what})
		return vm, opts.late(ctx, name, err)
	})
	return showNames(a, vms, vmName, err)
}

// late says what was waited for in vain when the time of the wait is over.
func (opts *waitOptions) late(ctx context.Context, name string, err error) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return model.Errorf(model.CodeTimeout, "waiting for VM %s (--for %s): the %s are over", name, opts.what, time.Duration(opts.timeout)*time.Second).
		WithHint("banger show %s", name)
}
