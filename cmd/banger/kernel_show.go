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

func newKernelShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show KERNEL",
		Aliases:           []string{"inspect"},
		Short:             "show all about a kernel",
		Example:           "  banger kernel show debian-12",
		Args:              wantArgs(1, 1, "KERNEL"),
		ValidArgsFunction: a.names(kernelNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelShow(ctx, a, args)
		}),
	}
}

func runKernelShow(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	kernel, err := api.ShowKernel(ctx, rpc.NameParams{Name: args[0]})
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
