package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

// kernelImportOptions are the flags of kernel import.
type kernelImportOptions struct {
	boot     bootFlags
	config   string
	packages []string
	host     bool
}

func newKernelImportCommand(a *app) *cobra.Command {
	opts := &kernelImportOptions{}
	cmd := &cobra.Command{
		Use:   "import {--kernel-path FILE | --package FILE... | --host} [flags] NAME",
		Short: "make a kernel of files or packages on this host",
		Long: "Makes a kernel of an ELF vmlinux or a bzImage and what belongs to it, of packages (.deb,\n" +
			".rpm, .apk, a tar bundle), or of the kernel that this host runs.",
		Example: "  banger kernel import --kernel-path ./vmlinux mine\n" +
			"  banger kernel import --kernel-path /boot/vmlinuz-6.1.0-44-amd64 \\\n" +
			"    --modules-dir /lib/modules/6.1.0-44-amd64 custom\n" +
			"  banger kernel import --package kernel-core.rpm --package kernel-modules-core.rpm fedora\n" +
			"  banger kernel import --host host",
		Args: wantArgs(1, 1, "NAME"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelImport(ctx, a, opts, args)
		}),
	}
	opts.boot.add(cmd.Flags())
	cmd.Flags().StringVar(&opts.config, "config-path", "", "`FILE` with the build configuration")
	cmd.Flags().StringArrayVar(&opts.packages, "package", nil, "`FILE` of a .deb, .rpm or .apk package or a tar bundle; may be given again")
	cmd.Flags().BoolVar(&opts.host, "host", false, "take the kernel that this host runs")
	return cmd
}

func runKernelImport(ctx context.Context, a *app, opts *kernelImportOptions, args []string) error {
	if err := opts.check(); err != nil {
		return err
	}
	if err := opts.resolve(a); err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	kernel, err := api.ImportKernel(ctx, rpc.KernelImportParams{
		Name: args[0], KernelPath: opts.boot.kernel, InitrdPath: opts.boot.initrd, ModulesDir: opts.boot.modules,
		ConfigPath: opts.config, Packages: opts.packages, Host: opts.host,
	}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, kernel, kernel.Name)
}

// check refuses flags that say several things or none.
func (o *kernelImportOptions) check() error {
	const path = "banger kernel import"
	ways := 0
	for _, given := range []bool{o.boot.kernel != "", len(o.packages) > 0, o.host} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return usageError(path, "--kernel-path is missing, or --package, or --host")
	case ways > 1:
		return usageError(path, "--kernel-path, --package and --host exclude each other")
	case o.boot.kernel == "" && (o.boot.initrd != "" || o.boot.modules != "" || o.config != ""):
		return usageError(path, "--initrd-path, --modules-dir and --config-path need --kernel-path")
	}
	return nil
}

// resolve makes the paths absolute: the daemon has another working directory.
func (o *kernelImportOptions) resolve(a *app) error {
	if err := o.boot.resolve(a); err != nil {
		return err
	}
	var err error
	if o.config != "" {
		if o.config, err = a.abs(o.config); err != nil {
			return err
		}
	}
	for i := range o.packages {
		if o.packages[i], err = a.abs(o.packages[i]); err != nil {
			return err
		}
	}
	return nil
}
