package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMRestartCommand(a *app) *cobra.Command {
	opts := &stopOptions{}
	cmd := &cobra.Command{
		Use:     "restart [flags] VM...",
		Short:   "power VMs off and boot them again",
		Example: "  banger restart dev\n  banger restart -t 0 dev",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMRestart(ctx, a, opts, args)
		}),
	}
	opts.add(cmd.Flags())
	opts.targets.add(a, cmd, model.VMRunning, model.VMPaused)
	return cmd
}

func runVMRestart(ctx context.Context, a *app, opts *stopOptions, args []string) error {
	bar := a.newProgress(true)
	vms, err := eachVM(ctx, a, bar, &opts.targets, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.RestartVM(ctx, opts.params(name), bar.report)
	})
	return showNames(a, vms, vmName, err)
}
