package vm

import (
	"context"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

// rootHook is the size of the root disk: what was asked for is there at the
// next start at the latest, and the guest's kernel lets the filesystem fill it.
func rootHook() Hook {
	return Hook{
		Name: "root disk",
		Plan: func(_ context.Context, p rpc.VMCreateParams, _ model.Image, _ *model.VMSpec) error {
			if p.DiskBytes == 0 {
				return nil
			}
			return disk.CheckSize("a root disk", p.DiskBytes)
		},
		Configure: func(vm model.VM, plan *Plan) error {
			plan.Guest.Root.Grow = vm.Spec.DiskBytes != 0
			return nil
		},
		Prepare: func(_ context.Context, vm model.VM) error {
			root := rootDisk(vm, model.Image{})
			return growTo(root.Path, root.Format, vm.Spec.DiskBytes)
		},
	}
}

// growTo grows the disk of a VM that does not run, unless it has the size.
func growTo(path string, format vmm.DiskFormat, size int64) error {
	if size == 0 {
		return nil
	}
	have, err := disk.Size(path, format)
	if err != nil || have >= size {
		return err
	}
	return disk.Grow(path, format, size)
}

// rootDisk is the root disk of a VM made of img.
func rootDisk(vm model.VM, img model.Image) vmm.Disk {
	d := vmm.Disk{Path: vm.RootPath(), Format: vmm.Raw}
	if vm.RootClone == disk.Overlay {
		d.Format, d.Backing = vmm.Qcow2, rootfsOf(img)
	}
	return d
}
