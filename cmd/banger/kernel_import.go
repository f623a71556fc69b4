package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newKernelImportCommand(a *app) *cobra.Command {
	boot := &bootFlags{}
	cmd := &cobra.Command{
		Use:   "import --kernel-path FILE [flags] NAME",
		Short: "make a kernel of files on this host",
		Example: "  banger kernel import --kernel-path ./vmlinux mine\n" +
			"  banger kernel import --kernel-path /boot/vmlinuz-6.1.0-44-amd64 \\\n" +
			"    --modules-dir /lib/modules/6.1.0-44-amd64 host",
		Args: wantArgs(1, 1, "NAME"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runKernelImport(ctx, a, boot, args)
		}),
	}
	boot.add(cmd.Flags())
	return cmd
}

func runKernelImport(ctx context.Context, a *app, boot *bootFlags, args []string) error {
	if boot.kernel == "" {
		return usageError("banger kernel import", "--kernel-path is missing")
	}
	if err := boot.resolve(a); err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	kernel, err := api.ImportKernel(ctx, rpc.KernelImportParams{
		Name: args[0], KernelPath: boot.kernel, InitrdPath: boot.initrd, ModulesDir: boot.modules,
	}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, kernel, kernel.Name)
}
