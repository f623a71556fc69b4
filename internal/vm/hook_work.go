package vm

import (
	"context"
	"path/filepath"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

// workHook is the work disk: an ext4 of the VM's own, mounted at the home of
// its user and begun as a copy of the image's home.
func workHook() Hook {
	return Hook{
		Name: "work disk",
		Plan: func(_ context.Context, p rpc.VMCreateParams, img model.Image, spec *model.VMSpec) error {
			if p.WorkBytes == 0 {
				return nil
			}
			if err := disk.CheckSize("a work disk", p.WorkBytes); err != nil {
				return err
			}
			home, err := homeFor(img, spec.Config.User)
			spec.Work = &model.WorkDisk{SizeBytes: p.WorkBytes, Path: home.Path}
			return err
		},
		Create: func(ctx context.Context, vm model.VM, img model.Image) error {
			if vm.Spec.Work == nil {
				return nil
			}
			home, err := homeFor(img, vm.Spec.Config.User)
			if err != nil {
				return err
			}
			return disk.MakeExt4(ctx, workPath(vm), disk.Ext4Options{
				SizeBytes: vm.Spec.Work.SizeBytes, Label: "work",
				Seed: &disk.Seed{Rootfs: rootfsOf(img), Dir: home.Path, UID: home.UID, GID: home.GID},
			})
		},
		Configure: func(vm model.VM, plan *Plan) error {
			if vm.Spec.Work == nil {
				return nil
			}
			device := plan.AddDisk(vmm.Disk{Path: workPath(vm), Format: vmm.Raw})
			plan.Guest.Mounts = append(plan.Guest.Mounts, wire.Mount{Device: device, Path: vm.Spec.Work.Path, FSType: "ext4", Grow: true})
			return nil
		},
		Prepare: func(_ context.Context, vm model.VM) error {
			if vm.Spec.Work == nil {
				return nil
			}
			return growTo(workPath(vm), vmm.Raw, vm.Spec.Work.SizeBytes)
		},
	}
}

// homeFor returns the home of an image's user, where a disk can be mounted.
func homeFor(img model.Image, user string) (disk.Home, error) {
	home, err := disk.FindHome(rootfsOf(img), user)
	if err != nil {
		return home, err
	}
	if wire.ValidateMountPath(home.Path) != nil {
		return home, model.Errorf(model.CodeInvalid, "user %q of image %s has no home directory for a work disk", firstOf(user, "root"), img.Name).
			WithHint("use a volume instead: banger volume create NAME, then -v NAME:/path")
	}
	return home, nil
}

func rootfsOf(img model.Image) string { return img.RootfsPath() }

func workPath(vm model.VM) string { return filepath.Join(vm.Dir, model.WorkFile) }
