package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// CreateVM makes a stopped VM, and boots it when p.Start is set.
//
//	1 guard    names and sizes are checked                 nothing on disk
//	2 image    a local image, or one that is pulled        images/<id>
//	           and the kernel, when one is named           kernels/<name>
//	3 plan     the spec: what was asked over what the image says, and
//	           what the features make of it
//	4 intend   row, state creating: the name is taken      row
//	5 clone    the root disk                               vms/<id>/root.*
//	           and what the features keep beside it
//	6 ready    row, state stopped; creating still when it is to boot at once
//	7 boot     when asked                                  a process
//
// A failure undoes 4 to 7. A daemon killed before the VM was a stopped or a
// starting one leaves a row in state creating, which Recover removes with its
// directory.
func (s *Service) CreateVM(ctx context.Context, p rpc.VMCreateParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.create", firstOf(p.Name, p.Image, "the default image"), report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, err := s.create(ctx, op, p)
		if err != nil || !p.Start {
			return vm, err
		}
		if err := failpoint.Hit(ctx, "vm.create/ready"); err != nil {
			return vm, err
		}
		unlock, err := s.lock(ctx, vm.ID)
		if err != nil {
			return vm, err
		}
		defer unlock()
		return s.start(ctx, op, vm)
	})
}

func (s *Service) create(ctx context.Context, op *operation.Op, p rpc.VMCreateParams) (model.VM, error) {
	if err := s.checkName(ctx, p.Name); err != nil { // 1
		return model.VM{}, err
	}
	if err := failpoint.Hit(ctx, "vm.create/named"); err != nil {
		return model.VM{}, err
	}
	if p.Kernel != "" { // 2: first, since a name that is wrong is known at once
		op.Stage("kernel")
		if _, err := s.cfg.Kernels.EnsureKernel(ctx, p.Kernel, op.Report); err != nil {
			return model.VM{}, err
		}
	}
	if err := failpoint.Hit(ctx, "vm.create/kernel"); err != nil {
		return model.VM{}, err
	}
	img, vm, err := s.claim(ctx, op, p) // 3, 4
	if err != nil {
		return model.VM{}, err
	}
	if err := failpoint.Hit(ctx, "vm.create/intended"); err != nil {
		return model.VM{}, err
	}
	method, err := s.cloneRoot(ctx, vm, img) // 5
	if err != nil {
		return model.VM{}, fmt.Errorf("cloning image %s: %w", img.Name, err)
	}
	if err := failpoint.Hit(ctx, "vm.create/cloned"); err != nil {
		return model.VM{}, err
	}
	if err := s.hooks.create(ctx, vm, img); err != nil {
		return model.VM{}, err
	}
	if err := failpoint.Hit(ctx, "vm.create/hooked"); err != nil {
		return model.VM{}, err
	}
	return s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error { // 6
		vm.RootClone = method
		if !p.Start { // else it is one only when it has begun to boot
			vm.State = model.VMStopped
		}
		return nil
	})
}

// checkName refuses a name that is malformed or taken before anything is
// pulled. The row's unique name decides when two callers race.
func (s *Service) checkName(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if err := model.ValidateVMName(name); err != nil {
		return err
	}
	switch vm, err := s.cfg.Store.VM(ctx, name); {
	case err == nil && vm.Name == name:
		return nameTaken(name)
	case err != nil && model.CodeOf(err) == model.CodeInternal:
		return err
	}
	return nil
}

// errImageGone: an image was deleted between being found and being used.
var errImageGone = errors.New("the image has been deleted meanwhile")

// claimTries bounds how often an image is looked for that is gone when it is to
// be used: a later build has its name then.
const claimTries = 3

// claim finds the image and commits the row of a VM to be made of it.
func (s *Service) claim(ctx context.Context, op *operation.Op, p rpc.VMCreateParams) (img model.Image, vm model.VM, err error) {
	for range claimTries {
		op.Stage("image")
		if img, err = s.imageFor(ctx, p, op.Report); err != nil {
			return img, vm, err
		}
		if err = failpoint.Hit(ctx, "vm.create/image"); err != nil {
			return img, vm, err
		}
		op.Stage("disk")
		if vm, err = s.intend(ctx, op, p, img); !errors.Is(err, errImageGone) {
			return img, vm, err
		}
	}
	return img, vm, err
}

func nameTaken(name string) error {
	return model.Errorf(model.CodeConflict, "a VM named %q exists already", name).
		WithHint("choose another --name, or remove it: banger rm --force %s", name)
}

func (s *Service) imageFor(ctx context.Context, p rpc.VMCreateParams, report model.Report) (model.Image, error) {
	if p.Pull == "never" {
		return s.cfg.Images.FindImage(ctx, p.Image)
	}
	return s.cfg.Images.EnsureImage(ctx, p.Image, p.Platform, report)
}

// intend commits the row of a VM to be. The image is locked meanwhile, so
// that it cannot be deleted between being found and being used.
func (s *Service) intend(ctx context.Context, op *operation.Op, p rpc.VMCreateParams, img model.Image) (model.VM, error) {
	unlock, err := s.cfg.Ops.Share(ctx, "image/"+img.ID)
	if err != nil {
		return model.VM{}, err
	}
	defer unlock()
	if _, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: img.ID}); err != nil {
		if model.CodeOf(err) == model.CodeNotFound {
			err = fmt.Errorf("%w: %w", errImageGone, err)
		}
		return model.VM{}, err
	}
	if err := failpoint.Hit(ctx, "vm.create/locked"); err != nil {
		return model.VM{}, err
	}
	name, err := s.nameFor(ctx, p.Name)
	if err != nil {
		return model.VM{}, err
	}
	spec, err := planSpec(p, name, img)
	if err == nil {
		err = s.hooks.plan(ctx, p, img, &spec)
	}
	if err != nil {
		return model.VM{}, err
	}
	id := model.NewID()
	vm := model.VM{
		ID: id, Name: name, State: model.VMCreating, ImageID: img.ID, Image: img.Name,
		Spec: spec, Dir: filepath.Join(s.cfg.Paths.VMs(), id), CreatedAt: s.cfg.Now(),
		RootBytes: img.SizeBytes,
	}
	err = s.cfg.Disks.Grow(ctx, vm.DiskBytes(), func() error { return s.cfg.Store.InsertVM(ctx, vm) })
	if err != nil {
		if model.CodeOf(err) == model.CodeConflict {
			return model.VM{}, nameTaken(name)
		}
		return model.VM{}, err
	}
	op.Undo("remove the VM", func(ctx context.Context) error { return s.remove(ctx, vm) })
	return vm, nil
}

// cloneRoot makes the VM's root disk and says how.
func (s *Service) cloneRoot(ctx context.Context, vm model.VM, img model.Image) (string, error) {
	if err := os.MkdirAll(vm.Dir, 0o700); err != nil {
		return "", err
	}
	if err := failpoint.Hit(ctx, "vm.create/directory"); err != nil {
		return "", err
	}
	clone, err := s.cloneImage(ctx, vm, img, vm.Spec.DiskBytes, "")
	return clone.Method, err
}
