package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show VM",
		Aliases:           []string{"inspect"},
		Short:             "show all about a VM (inspect)",
		Example:           "  banger show dev\n  banger inspect --json dev",
		Args:              wantArgs(1, 1, "VM"),
		ValidArgsFunction: a.names(vmNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMShow(ctx, a, args)
		}),
	}
}

func runVMShow(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	vm, err := api.ShowVM(ctx, rpc.NameParams{Name: args[0]})
	if err != nil {
		return err
	}
	return showOne(a, vm, vm.Name, vmFacts(vm))
}

func vmFacts(vm model.VM) []fact {
	spec, run := vm.Spec, vm.Runtime
	return []fact{
		{"name", vm.Name},
		{"id", vm.ID},
		{"state", stateText(vm.State, vm.Reason)},
		{"image", vm.Image},
		{"image id", vm.ImageID},
		{"cpus", positive(spec.CPUs)},
		{"memory", positiveSize(int64(spec.MemoryMiB) * mib)},
		{"disk", positiveSize(spec.DiskBytes)},
		{"work disk", workDisk(spec.Work)},
		{"volumes", mountList(spec.Volumes)},
		{"kernel", firstOf(run.Kernel, spec.Kernel)},
		{"guest kernel", run.Guest.Kernel},
		{"network", string(spec.Network)},
		{"hostname", spec.Hostname},
		{"driver", strings.TrimSpace(firstOf(run.Driver, spec.Driver) + " " + run.Accel)},
		{"machine", firstOf(string(run.Machine), string(spec.Machine))},
		{"pid", positive(run.Process.PID)},
		{"limits", run.Limits},
		{"entrypoint", quoteArgs(spec.Config.Entrypoint)},
		{"command", quoteArgs(spec.Config.Cmd)},
		{"working dir", spec.Config.WorkingDir},
		{"user", spec.Config.User},
		{"environment", quoteArgs(spec.Config.Env)},
		{"labels", joinLabels(spec.Labels)},
		{"removed when stopped", yes(spec.AutoRemove)},
		{"restart", restartText(vm)},
		{"time to live", seconds(spec.Policy.TTLSeconds)},
		{"idle timeout", seconds(spec.Policy.IdleSeconds)},
		{"directory", vm.Dir},
		{"root disk", vm.RootClone},
		{"boot", bootTime(run.BootMillis)},
		{"created", formatTime(vm.CreatedAt)},
		{"started", formatTime(vm.StartedAt)},
		{"stopped", formatTime(vm.StoppedAt)},
	}
}

// restartText is the policy and how often it has brought the VM back of late.
func restartText(vm model.VM) string {
	text := restartValue{&vm.Spec.Policy}.String()
	if vm.Restarts > 0 {
		text += fmt.Sprintf(" (restarts: %d)", vm.Restarts)
	}
	return text
}

func seconds(n int64) string { return (*secondsValue)(&n).String() }

func workDisk(w *model.WorkDisk) string {
	if w == nil {
		return ""
	}
	return formatSize(w.SizeBytes) + " at " + w.Path
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func positiveSize(n int64) string {
	if n <= 0 {
		return ""
	}
	return formatSize(n)
}

func bootTime(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return formatMillis(ms)
}

func yes(b bool) string {
	if !b {
		return ""
	}
	return "yes"
}

func firstOf(words ...string) string {
	for _, word := range words {
		if word != "" {
			return word
		}
	}
	return ""
}

// quoteArgs joins arguments so that their borders are seen.
func quoteArgs(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\") {
			quoted[i] = strconv.Quote(arg)
		}
	}
	return strings.Join(quoted, " ")
}

// joinLabels prints labels in the order of their keys.
func joinLabels(labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return quoteArgs(pairs)
}
