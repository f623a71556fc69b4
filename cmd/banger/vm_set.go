package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// autoMachine leaves the machine to banger.
const autoMachine = "auto"

// setOptions are the flags of set.
type setOptions struct {
	targets  vmTargets
	cpus     int
	memory   sizeValue
	disk     sizeValue
	work     sizeValue
	kernel   string
	machine  model.MachineType
	hostname string
	labels   []string
	unlabel  []string
	restart  string
	ttl      secondsValue
	idle     secondsValue
}

func newVMSetCommand(a *app) *cobra.Command {
	opts := &setOptions{}
	cmd := &cobra.Command{
		Use:   "set [flags] VM...",
		Short: "change what VMs are made of",
		Long: "Changes VMs: at once where that is possible, else from their next start on; it says\n" +
			"which. A new kernel that does not boot is given up by itself: the VM goes back to the\n" +
			"one before, and says so.",
		Example: "  banger set -c 2 -m 2G dev\n" +
			"  banger set --disk 20G dev\n" +
			"  banger set --restart on-failure:5 --ttl 8h dev\n" +
			"  banger set --kernel debian-13 dev && banger restart dev\n" +
			"  banger set -l team=web --unlabel old --all",
	}
	opts.targets.add(a, cmd)
	flags := cmd.Flags()
	flags.VarP(countValue{&opts.cpus, 1, maxCPUs, "count"}, "cpus", "c", "number of CPUs")
	flags.VarP(&opts.memory, "memory", "m", "memory, such as 512M or 2G")
	flags.Var(&opts.disk, "disk", "size of the root disk, such as 20G; disks never shrink")
	flags.Var(&opts.work, "work", "size of the work disk")
	flags.StringVar(&opts.kernel, "kernel", "", "`KERNEL` to boot; '' for the image's")
	enumFlag(flags, &opts.machine, "machine", "machine that it boots on; auto: what the kernel can", string(model.MachineMicroVM), string(model.MachineQ35), autoMachine)
	flags.StringVar(&opts.hostname, "hostname", "", "host `NAME` in the VM; '' for the VM's name")
	flags.StringArrayVarP(&opts.labels, "label", "l", nil, "attach `KEY=VALUE`")
	flags.StringArrayVar(&opts.unlabel, "unlabel", nil, "remove the label `KEY`")
	flags.StringVar(&opts.restart, "restart", "", "when it comes back by itself: no, on-failure[:N], always or unless-stopped (`POLICY`)")
	flags.Var(&opts.ttl, "ttl", "stop it that long after its start, such as 8h; 0 for never")
	flags.Var(&opts.idle, "idle-timeout", "stop it after that long without work, such as 30m; 0 for never")
	_ = cmd.RegisterFlagCompletionFunc("kernel", func(cmd *cobra.Command, _ []string, s string) ([]string, cobra.ShellCompDirective) {
		return a.names(kernelNames, false)(cmd, nil, s)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.action(func(ctx context.Context, args []string) error {
			return runVMSet(ctx, a, cmd, opts, args)
		})(cmd, args)
	}
	return cmd
}

// params are what the flags ask for.
func (o *setOptions) params(cmd *cobra.Command) (rpc.VMSetParams, error) {
	p := rpc.VMSetParams{RemoveLabels: o.unlabel}
	flags := cmd.Flags()
	if err := checkMemory(cmd.CommandPath(), o.memory); err != nil {
		return p, err
	}
	if o.cpus > 0 {
		p.CPUs = &o.cpus
	}
	if o.memory > 0 {
		memory := int(o.memory / mib)
		p.MemoryMiB = &memory
	}
	if o.disk > 0 {
		p.DiskBytes = (*int64)(&o.disk)
	}
	if o.work > 0 {
		p.WorkBytes = (*int64)(&o.work)
	}
	if flags.Changed("kernel") {
		p.Kernel = &o.kernel
	}
	if flags.Changed("machine") {
		if o.machine == autoMachine {
			o.machine = ""
		}
		p.Machine = &o.machine
	}
	if flags.Changed("hostname") {
		p.Hostname = &o.hostname
	}
	if flags.Changed("restart") {
		p.Restart = &o.restart
	}
	if flags.Changed("ttl") {
		p.TTLSeconds = (*int64)(&o.ttl)
	}
	if flags.Changed("idle-timeout") {
		p.IdleSeconds = (*int64)(&o.idle)
	}
	labels, err := parseLabels(o.labels)
	p.Labels = labels
	return p, err
}

func runVMSet(ctx context.Context, a *app, cmd *cobra.Command, opts *setOptions, args []string) error {
	p, err := opts.params(cmd)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	changes, err := eachVM(ctx, a, bar, &opts.targets, args, func(ctx context.Context, api rpc.API, name string) (model.VMChange, error) {
		p := p
		p.Name = name
		return api.SetVM(ctx, p, bar.report)
	})
	if !a.flags.json && !a.flags.quiet {
		for _, c := range changes {
			a.tellLater(c)
		}
	}
	return showNames(a, changes, func(c model.VMChange) string { return c.VM.Name }, err)
}

// tellLater says which settings do not hold yet.
func (a *app) tellLater(c model.VMChange) {
	if len(c.Later) > 0 {
		fmt.Fprintln(a.stderr, note(fmt.Sprintf("from the next start of %s on: %s (banger restart %s)", c.VM.Name, strings.Join(c.Later, ", "), c.VM.Name)))
	}
}
