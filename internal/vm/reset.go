package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/disk"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// ResetVM gives a VM a new root disk, made of the image that it has.
func (s *Service) ResetVM(ctx context.Context, p rpc.VMResetParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.reset", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, err := s.findWhole(ctx, p.Name)
		if err != nil {
			return vm, err
		}
		return s.replaceRoot(ctx, op, vm.ID, vm.ImageID, p.Force)
	})
}

// RebaseVM gives a VM a new root disk, made of another image. What the user
// has said about the VM stays; what the old image said is now the new one's.
func (s *Service) RebaseVM(ctx context.Context, p rpc.VMRebaseParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.rebase", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, err := s.findWhole(ctx, p.Name)
		if err != nil {
			return vm, err
		}
		op.Stage("image")
		img, err := s.imageFor(ctx, rpc.VMCreateParams{Image: p.Image, Pull: p.Pull, Platform: p.Platform}, op.Report)
		if err != nil {
			return vm, err
		}
		return s.replaceRoot(ctx, op, vm.ID, img.ID, p.Force)
	})
}

// replaceRoot puts a clone of an image in the place of a VM's root disk.
//
//	1 guard   it does not run, or is stopped when forced
//	2 plan    the spec over the new image
//	3 clone   a root disk of another name          vms/<id>/root-<id>.*
//	4 switch  row: the disk, the image, the spec   row
//	5 remove  the old root disk
//
// A failure before 4 leaves the VM as it was. A daemon that ends between 3 and
// 5 leaves a file that the row does not name; sweepRoots removes it.
func (s *Service) replaceRoot(ctx context.Context, op *operation.Op, id, imageID string, force bool) (model.VM, error) {
	vm, unlock, err := s.lockNamed(ctx, id)
	if err != nil {
		return vm, err
	}
	defer unlock()
	if vm, err = s.stopFor(ctx, op, vm, force); err != nil { // 1
		return vm, err
	}
	unlockImage, err := s.cfg.Ops.Share(ctx, "image/"+imageID)
	if err != nil {
		return vm, err
	}
	defer unlockImage()
	img, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: imageID})
	if err != nil {
		return vm, err
	}
	spec, err := s.rebaseSpec(ctx, vm, img) // 2
	if err != nil {
		return vm, err
	}
	op.Stage("disk")
	sweepRoots(vm)
	clone, err := s.cloneImage(ctx, vm, img, spec.DiskBytes, "root-"+model.NewID()) // 3
	if err != nil {
		return vm, fmt.Errorf("cloning image %s: %w", img.Name, err)
	}
	before := vm.ImageID
	if vm, err = s.switchRoot(ctx, vm, img, spec, clone); err != nil { // 4
		return vm, errors.Join(err, os.Remove(clone.Path))
	}
	if err := failpoint.Hit(ctx, "vm.reset/switched"); err != nil {
		return vm, err
	}
	sweepRoots(vm) // 5
	if before != vm.ImageID {
		s.imageLeft(ctx, before)
	}
	return vm, nil
}

// switchRoot commits the root disk that a VM has from now on.
func (s *Service) switchRoot(ctx context.Context, vm model.VM, img model.Image, spec model.VMSpec, clone disk.Result) (model.VM, error) {
	if err := failpoint.Hit(ctx, "vm.reset/cloned"); err != nil {
		return vm, err
	}
	return s.updateDisks(ctx, vm, func(vm *model.VM) error {
		vm.RootFile, vm.RootClone = filepath.Base(clone.Path), clone.Method
		vm.ImageID, vm.Image, vm.RootBytes, vm.Spec = img.ID, img.Name, img.SizeBytes, spec
		vm.State, vm.Reason = model.VMStopped, ""
		return nil
	})
}

// stopFor makes sure that a VM does not run.
func (s *Service) stopFor(ctx context.Context, op *operation.Op, vm model.VM, force bool) (model.VM, error) {
	l, err := s.running(ctx, vm)
	if err != nil || l == nil {
		return vm, err
	}
	switch {
	case !force:
		return vm, model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State).
			WithHint("stop it first (banger stop %s), or give --force", vm.Name)
	case vm.Spec.AutoRemove:
		return vm, model.Errorf(model.CodeConflict, "VM %s is deleted when it stops", vm.Name)
	}
	return s.stop(ctx, op, vm, defaultGrace)
}

// rebaseSpec returns the spec of a VM over another image.
func (s *Service) rebaseSpec(ctx context.Context, vm model.VM, img model.Image) (model.VMSpec, error) {
	spec := vm.Spec
	if img.ID != vm.ImageID {
		old, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: vm.ImageID})
		if err != nil {
			return spec, err
		}
		spec.Config = rebaseConfig(spec.Config, old.Config, img.Config)
	}
	if spec.DiskBytes != 0 {
		spec.DiskBytes = max(spec.DiskBytes, img.SizeBytes)
	}
	if spec.Work != nil && img.ID != vm.ImageID {
		home, err := homeFor(img, spec.Config.User)
		if err != nil {
			return spec, err
		}
		spec.Work = &model.WorkDisk{SizeBytes: spec.Work.SizeBytes, Path: home.Path}
	}
	return spec, checkSpec(spec, img)
}

// rebaseConfig returns the configuration of image to with what set c apart
// from image from, which are the user's wishes. It is pure.
func rebaseConfig(c, from, to model.ImageConfig) model.ImageConfig {
	out := to
	wishes := slices.DeleteFunc(slices.Clone(c.Env), func(kv string) bool { return slices.Contains(from.Env, kv) })
	out.Env = mergeEnv(validEnv(to.Env), wishes)
	if c.WorkingDir != from.WorkingDir {
		out.WorkingDir = c.WorkingDir
	}
	if c.User != from.User {
		out.User = c.User
	}
	if !slices.Equal(c.Entrypoint, from.Entrypoint) || !slices.Equal(c.Cmd, from.Cmd) {
		out.Entrypoint, out.Cmd = c.Entrypoint, c.Cmd
	}
	return out
}

// cloneImage makes a root disk of that name without its extension.
func (s *Service) cloneImage(ctx context.Context, vm model.VM, img model.Image, size int64, name string) (disk.Result, error) {
	driver, err := s.pickDriver(ctx, vm.Spec.Driver)
	if err != nil {
		return disk.Result{}, err
	}
	return disk.Clone(ctx, rootfsOf(img), vm.Dir, disk.Options{
		Name: name, SizeBytes: size, AllowOverlay: driver.features.Overlays,
	})
}

// sweepRoots removes root disks that the row does not name, which an earlier
// daemon has left. What cannot be removed is tried again the next time.
func sweepRoots(vm model.VM) {
	entries, err := os.ReadDir(vm.Dir)
	if err != nil {
		return
	}
	mine := filepath.Base(rootDisk(vm, model.Image{}).Path)
	for _, e := range entries {
		if e.Name() != mine && (strings.HasPrefix(e.Name(), "root-") || strings.HasPrefix(e.Name(), "root.")) {
			_ = os.Remove(filepath.Join(vm.Dir, e.Name()))
		}
	}
}
