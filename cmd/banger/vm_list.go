package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// listOptions are the flags of the list commands.
type listOptions struct{ noTrunc bool }

func (o *listOptions) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.noTrunc, "no-trunc", false, "do not shorten ids and long texts")
}

// cut shortens s to n characters, unless told not to.
func (o *listOptions) cut(s string, n int) string {
	if o.noTrunc {
		return s
	}
	return clip(s, n)
}

// id shortens an id to its first twelve characters.
func (o *listOptions) id(s string) string {
	if o.noTrunc {
		return s
	}
	return s[:min(len(s), 12)]
}

func newVMListCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls", "ps"},
		Short:   "list VMs (ls, ps)",
		Long:    "Lists all VMs, whether they run or not.",
		Example: "  banger ps\n  banger ps -q\n  banger vm list --json",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runVMList(ctx, a, opts)
		}),
	}
	opts.add(cmd)
	cmd.Flags().BoolP("all", "a", true, "what docker users type; all VMs are listed anyway")
	_ = cmd.Flags().MarkHidden("all")
	return cmd
}

func runVMList(ctx context.Context, a *app, opts *listOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if a.flags.json { // all there is
		vms, err := api.ListVMs(ctx)
		if err != nil {
			return err
		}
		return showList(a, vms, vmName, nil)
	}
	vms, err := api.ListVMSummaries(ctx)
	if err != nil {
		return err
	}
	return showList(a, vms, summaryName, func(vms []model.VMSummary) table { return vmTable(vms, opts, a.now()) })
}

func vmTable(vms []model.VMSummary, opts *listOptions, now time.Time) table {
	t := table{header: []string{"NAME", "ID", "IMAGE", "STATE", "CPUS", "MEMORY", "CREATED"}}
	for _, vm := range vms {
		t.rows = append(t.rows, []string{
			vm.Name, opts.id(vm.ID), opts.cut(vm.Image, 40), opts.cut(stateText(vm.State, vm.Reason), 40),
			orDash(vm.CPUs > 0, strconv.Itoa(vm.CPUs)),
			orDash(vm.MemoryMiB > 0, formatSize(int64(vm.MemoryMiB)*mib)),
			formatAge(now, vm.CreatedAt),
		})
	}
	return t
}

// stateText is the state and, where there is one, the reason for it.
func stateText(state model.VMState, reason string) string {
	if reason == "" {
		return string(state)
	}
	return string(state) + ": " + reason
}

func orDash(known bool, s string) string {
	if !known {
		return "-"
	}
	return s
}
