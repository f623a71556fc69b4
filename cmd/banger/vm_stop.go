package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/model"
	"banger/internal/rpc"
)

// maxGrace is the longest time that a VM may be given to power off, in seconds.
const maxGrace = 3600

// stopOptions are the flags of stop and restart.
type stopOptions struct {
	targets vmTargets
	timeout int
	isSet   func() bool
}

func (o *stopOptions) add(flags *pflag.FlagSet) {
	flags.VarP(countValue{&o.timeout, 0, maxGrace, "seconds"}, "timeout", "t",
		"seconds to power off before the VM is killed (default 10)")
	o.isSet = func() bool { return flags.Changed("timeout") }
}

func (o *stopOptions) params(name string) rpc.VMStopParams {
	p := rpc.VMStopParams{Name: name}
	if o.isSet() {
		p.GraceSeconds = &o.timeout
	}
	return p
}

func newVMStopCommand(a *app) *cobra.Command {
	opts := &stopOptions{}
	cmd := &cobra.Command{
		Use:     "stop [flags] VM...",
		Short:   "power VMs off",
		Long:    "Asks the guests to power off; what is still up after the timeout is killed.",
		Example: "  banger stop dev\n  banger stop -t 30 a b c\n  banger stop --filter label=ci",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMStop(ctx, a, opts, args)
		}),
	}
	opts.add(cmd.Flags())
	opts.targets.add(a, cmd, model.VMStarting, model.VMRunning, model.VMPaused, model.VMStopping)
	return cmd
}

func runVMStop(ctx context.Context, a *app, opts *stopOptions, args []string) error {
	bar := a.newProgress(true)
	vms, err := eachVM(ctx, a, bar, &opts.targets, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return api.StopVM(ctx, opts.params(name), bar.report)
	})
	return showNames(a, vms, vmName, err)
}
