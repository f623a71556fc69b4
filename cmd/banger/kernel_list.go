package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// kernelListOptions are the flags of kernel list.
type kernelListOptions struct {
	list      listOptions
	available bool
}

func newKernelListCommand(a *app) *cobra.Command {
	opts := &kernelListOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "list kernels",
		Long:    "Lists the kernels that are here, or with --available those that can be pulled.",
		Example: "  banger kernel list\n  banger kernel list --available",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runKernelList(ctx, a, opts)
		}),
	}
	opts.list.add(cmd)
	cmd.Flags().BoolVar(&opts.available, "available", false, "list the catalog")
	return cmd
}

func runKernelList(ctx context.Context, a *app, opts *kernelListOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if opts.available {
		kernels, err := api.ListCatalog(ctx)
		if err != nil {
			return err
		}
		return showList(a, kernels, catalogName, func(k []model.CatalogKernel) table { return catalogTable(k, &opts.list) })
	}
	kernels, err := api.ListKernels(ctx)
	if err != nil {
		return err
	}
	return showList(a, kernels, kernelName, func(k []model.Kernel) table { return kernelTable(k, &opts.list, a.now()) })
}

func kernelTable(kernels []model.Kernel, opts *listOptions, now time.Time) table {
	t := table{header: []string{"NAME", "VERSION", "ARCH", "DEFAULT", "MODULES", "SIZE", "SOURCE", "CREATED"}}
	for _, k := range kernels {
		t.rows = append(t.rows, []string{
			k.Name, opts.cut(k.Version, 32), k.Arch, yesNo(k.Default), yesNo(k.Modules),
			formatSize(k.SizeBytes), opts.cut(firstOf(k.Source, "-"), 32), formatAge(now, k.CreatedAt),
		})
	}
	return t
}

func catalogTable(kernels []model.CatalogKernel, opts *listOptions) table {
	t := table{header: []string{"NAME", "ARCH", "FLAVOUR", "DEFAULT", "PULLED", "HAS", "DESCRIPTION"}}
	for _, k := range kernels {
		t.rows = append(t.rows, []string{
			k.Name, k.Arch, firstOf(k.Flavour, "-"), yesNo(k.Default), yesNo(k.Pulled),
			opts.cut(firstOf(strings.Join(k.Has, ","), "-"), 32), opts.cut(k.Description, 48),
		})
	}
	return t
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
