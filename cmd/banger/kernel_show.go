package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// kernelShowOptions are the flags of kernel show.
type kernelShowOptions struct{ config, modules bool }

func newKernelShowCommand(a *app) *cobra.Command {
	opts := &kernelShowOptions{}
	cmd := &cobra.Command{
		Use:     "show [flags] KERNEL",
		Aliases: []string{"inspect"},
		Short:   "show all about a kernel",
		Long: "Shows what a kernel is, where it came from, what it has, and what its last test found; or\n" +
			"its build configuration, or its modules.",
		Example: "  banger kernel show debian-12\n" +
			"  banger kernel show --config debian-12 | grep NF_TABLES",
		Args:              wantArgs(1, 1, "KERNEL"),
		ValidArgsFunction: a.names(kernelNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelShow(ctx, a, opts, rpc.NameParams{Name: args[0]})
		}),
	}
	cmd.Flags().BoolVar(&opts.config, "config", false, "print the options that it was built with, CONFIG_NAME=VALUE")
	cmd.Flags().BoolVar(&opts.modules, "modules", false, "list the modules that it can load")
	return cmd
}

func runKernelShow(ctx context.Context, a *app, opts *kernelShowOptions, p rpc.NameParams) error {
	if opts.config && opts.modules {
		return usageError("banger kernel show", "--config and --modules exclude each other")
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	switch {
	case opts.config:
		options, err := api.KernelOptions(ctx, p)
		if err != nil {
			return err
		}
		return showLines(a, options, func(o model.KernelOption) string { return o.Name + "=" + o.Value })
	case opts.modules:
		modules, err := api.KernelModules(ctx, p)
		if err != nil {
			return err
		}
		return showLines(a, modules, func(m model.KernelModule) string { return m.Path })
	}
	kernel, err := api.ShowKernel(ctx, p)
	if err != nil {
		return err
	}
	return showOne(a, kernel, kernel.Name, append(kernelFacts(kernel), testFacts(kernel.Test)...))
}

func kernelFacts(k model.Kernel) []fact {
	return []fact{
		{"name", k.Name},
		{"version", k.Version},
		{"arch", k.Arch},
		{"distro", k.Distro},
		{"flavour", k.Flavour},
		{"default", yesNo(k.Default)},
		{"has", strings.Join(k.Has, ", ")},
		{"modules", moduleCount(k)},
		{"initrd", yesNo(k.Initrd)},
		{"source", k.Source},
		{"digest", k.Digest},
		{"size", positiveSize(k.SizeBytes)},
		{"directory", k.Dir},
		{"config", k.Config},
		{"created", formatTime(k.CreatedAt)},
	}
}

func moduleCount(k model.Kernel) string {
	if k.ModuleCount == 0 {
		return yesNo(k.Modules)
	}
	return strconv.Itoa(k.ModuleCount)
}

// testFacts say what the last test of a kernel found; nothing when there was
// none.
func testFacts(t *model.KernelTest) []fact {
	if t == nil {
		return nil
	}
	facts := []fact{
		{"tested", formatTime(t.At)},
		{"booted in", fmt.Sprintf("%d ms (%s, %s)", t.BootMillis, t.Driver, t.Accel)},
	}
	for _, p := range t.Probes {
		facts = append(facts, fact{p.Name, probeText(p)})
	}
	return facts
}

func probeText(p model.KernelProbe) string {
	text := "works"
	if !p.Works {
		text = "does not work"
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}
