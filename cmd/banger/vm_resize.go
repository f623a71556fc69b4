package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newVMResizeCommand(a *app) *cobra.Command {
	var root, work sizeValue
	cmd := &cobra.Command{
		Use:   "resize [flags] VM",
		Short: "make disks of a VM larger",
		Long: "Makes disks of a VM larger, and the filesystems on them: at once when the VM runs,\n" +
			"else when it starts. Disks never shrink.",
		Example:           "  banger vm resize dev --disk 20G\n  banger vm resize dev --work 50G",
		Args:              wantArgs(1, 1, "VM"),
		ValidArgsFunction: a.names(vmNames, false),
	}
	cmd.Flags().Var(&root, "disk", "size of the root disk, such as 20G")
	cmd.Flags().Var(&work, "work", "size of the work disk")
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		if root == 0 && work == 0 {
			return usageError("banger vm resize", "give --disk SIZE, --work SIZE or both")
		}
		api, err := a.connect(ctx)
		if err != nil {
			return err
		}
		bar := a.newProgress(true)
		vm, err := api.ResizeVM(ctx, rpc.VMResizeParams{Name: args[0], DiskBytes: int64(root), WorkBytes: int64(work)}, bar.report)
		bar.finish()
		if err != nil {
			return err
		}
		return showName(a, vm, vm.Name)
	})
	return cmd
}
