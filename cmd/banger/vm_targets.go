package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// vmTargets are the VMs that a verb works on: those named, or those that
// flags pick.
type vmTargets struct {
	filters []string
	all     bool
	suits   []model.VMState // flags pick VMs of these states alone; none: of any
}

// add adds the flags to cmd, and takes its arguments as names of VMs.
func (t *vmTargets) add(a *app, cmd *cobra.Command, suits ...model.VMState) {
	t.suits = suits
	cmd.Flags().StringArrayVar(&t.filters, "filter", nil, "in place of names: VMs with `KEY=VALUE`; see 'banger list --help'")
	cmd.Flags().BoolVar(&t.all, "all", false, "in place of names: all VMs")
	cmd.ValidArgsFunction = a.names(vmNames, true)
	_ = cmd.RegisterFlagCompletionFunc("filter", filterKeys())
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case t.picks() && len(args) > 0:
			return usageError(cmd.CommandPath(), "name VMs, or pick them with --filter or --all, not both")
		case t.picks():
			return nil
		default:
			return many("VM")(cmd, args)
		}
	}
}

func filterKeys() cobra.CompletionFunc {
	return cobra.FixedCompletions([]string{"state=", "label=", "image=", "name=", "id=", "until="},
		cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)
}

// picks reports whether flags pick the VMs.
func (t *vmTargets) picks() bool { return t.all || len(t.filters) > 0 }

// names returns the names or ids to work on. Filters that pick no VM at all
// are an error; VMs that they pick and whose state does not suit are left out.
func (t *vmTargets) names(ctx context.Context, a *app, api rpc.API, args []string) ([]string, error) {
	if !t.picks() {
		return args, nil
	}
	vms, err := pickVMs(ctx, a, api, t.filters)
	if err != nil {
		return nil, err
	}
	if len(vms) == 0 {
		return nil, nothingMatched(t.filters)
	}
	var ids []string
	for _, vm := range vms {
		if len(t.suits) == 0 || slices.Contains(t.suits, vm.State) {
			ids = append(ids, vm.ID)
		}
	}
	return ids, nil
}

// pickVMs returns the VMs that filters pick, the oldest first.
func pickVMs(ctx context.Context, a *app, api rpc.API, filters []string) ([]model.VMSummary, error) {
	filter, err := model.ParseVMFilter(filters, a.now())
	if err != nil {
		return nil, err
	}
	vms, err := api.ListVMSummaries(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(vms, func(vm model.VMSummary) bool { return !filter.Match(vm) }), nil
}

func nothingMatched(filters []string) error {
	if len(filters) == 0 {
		return model.Errorf(model.CodeNotFound, "there are no VMs").WithHint("banger create makes one")
	}
	return model.Errorf(model.CodeNotFound, "no VM matches %s", strings.Join(filters, " and ")).
		WithHint("`banger ps` lists all VMs with their states, `banger show VM` the labels of one")
}

// eachVM calls do for every VM that t stands for; see each.
func eachVM[T any](ctx context.Context, a *app, bar progress, t *vmTargets, args []string, do func(context.Context, rpc.API, string) (T, error)) ([]T, error) {
	defer bar.finish()
	api, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	names, err := t.names(ctx, a, api, args)
	if err != nil {
		return nil, err
	}
	return workOn(ctx, a, api, bar, names, atOnce, do)
}

// callEachVM makes a call that takes but a name for every VM that t stands for,
// and prints their names.
func callEachVM(ctx context.Context, a *app, t *vmTargets, args []string, call func(rpc.API, context.Context, rpc.NameParams) (model.VM, error)) error {
	vms, err := eachVM(ctx, a, silentProgress{}, t, args, func(ctx context.Context, api rpc.API, name string) (model.VM, error) {
		return call(api, ctx, rpc.NameParams{Name: name})
	})
	return showNames(a, vms, vmName, err)
}
