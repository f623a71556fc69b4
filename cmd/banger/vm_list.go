package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
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

// vmListOptions are the flags of list.
type vmListOptions struct {
	listOptions
	filters []string
	sort    string
	format  formatFlag
}

func newVMListCommand(a *app) *cobra.Command {
	opts := &vmListOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls", "ps"},
		Short:   "list VMs (ls, ps)",
		Long: "Lists all VMs, whether they run or not.\n\n" +
			"Filters are KEY=VALUE. Those of one key are alternatives, but labels must all be there;\n" +
			"those of different keys must all hold:\n\n" +
			"  state   running, paused, stopped, failed, ...\n" +
			"  label   KEY, or KEY=VALUE\n" +
			"  image   name, or beginning of the id\n" +
			"  name    a pattern: web-*\n" +
			"  id      its beginning\n" +
			"  until   created before: 24h ago, or 2026-03-01\n\n" +
			"A template of --format knows .ID .Name .State .Reason .ImageID .Image .CPUs .MemoryMiB\n" +
			".Labels .CreatedAt .StartedAt, and the function json.",
		Example: "  banger ps\n  banger ps -q --filter state=running\n  banger ps --sort -created --format '{{.Name}}'\n" +
			"  banger vm list --json",
		Args: noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runVMList(ctx, a, opts)
		}),
	}
	opts.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVarP(&opts.filters, "filter", "f", nil, "only VMs with `KEY=VALUE`")
	flags.StringVar(&opts.sort, "sort", "", "`KEY` to sort by: created (default), name, state, image, cpus, memory; -KEY for the reverse")
	opts.format.add(cmd)
	_ = cmd.RegisterFlagCompletionFunc("filter", filterKeys())
	_ = cmd.RegisterFlagCompletionFunc("sort", words("created", "name", "state", "image", "cpus", "memory"))
	flags.BoolP("all", "a", true, "what docker users type; all VMs are listed anyway")
	_ = flags.MarkHidden("all")
	return cmd
}

func runVMList(ctx context.Context, a *app, opts *vmListOptions) error {
	order, err := vmOrder(opts.sort)
	if err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	vms, err := pickVMs(ctx, a, api, opts.filters)
	if err != nil {
		return err
	}
	if order != nil {
		slices.SortStableFunc(vms, order)
	}
	if a.flags.json {
		return showWholeVMs(ctx, a, api, vms, "json")
	}
	switch format := opts.format.value; format {
	case "", "table":
		return showList(a, vms, summaryName, func(vms []model.VMSummary) table { return vmTable(vms, &opts.listOptions, a.now()) })
	case "json", "jsonl":
		return showWholeVMs(ctx, a, api, vms, format)
	case "csv":
		return vmTable(vms, &listOptions{noTrunc: true}, a.now()).writeCSV(a.stdout)
	default:
		return printTemplate(a.stdout, format, vms)
	}
}

// showWholeVMs prints all that is known of the picked VMs, in their order.
func showWholeVMs(ctx context.Context, a *app, api rpc.API, picked []model.VMSummary, format string) error {
	all, err := api.ListVMs(ctx)
	if err != nil {
		return err
	}
	byID := make(map[string]model.VM, len(all))
	for _, vm := range all {
		byID[vm.ID] = vm
	}
	vms := make([]model.VM, 0, len(picked))
	for _, p := range picked {
		if vm, ok := byID[p.ID]; ok { // it may be gone by now
			vms = append(vms, vm)
		}
	}
	if format == "jsonl" {
		return printLines(a.stdout, vms)
	}
	return a.printJSON(vms)
}

// vmOrder returns the order of --sort, nil for that of creation.
func vmOrder(key string) (func(x, y model.VMSummary) int, error) {
	name, reverse := strings.CutPrefix(key, "-")
	var order func(x, y model.VMSummary) int
	switch name {
	case "":
		return nil, nil
	case "created":
		order = func(x, y model.VMSummary) int { return x.CreatedAt.Compare(y.CreatedAt) }
	case "name":
		order = func(x, y model.VMSummary) int { return cmp.Compare(x.Name, y.Name) }
	case "state":
		order = func(x, y model.VMSummary) int { return cmp.Compare(x.State, y.State) }
	case "image":
		order = func(x, y model.VMSummary) int { return cmp.Compare(x.Image, y.Image) }
	case "cpus":
		order = func(x, y model.VMSummary) int { return cmp.Compare(x.CPUs, y.CPUs) }
	case "memory":
		order = func(x, y model.VMSummary) int { return cmp.Compare(x.MemoryMiB, y.MemoryMiB) }
	default:
		return nil, usageError("banger list", "--sort %q: want created, name, state, image, cpus or memory", key)
	}
	if reverse {
		return func(x, y model.VMSummary) int { return order(y, x) }, nil
	}
	return order, nil
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
