package vm

import (
	"context"
	"fmt"
	"slices"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

// ResizeVM makes disks of a VM larger.
//
//	1 guard  nothing shrinks, and a disk that is named is there
//	2 row    the spec has the sizes: the next start brings them, come what may
//	3 live   a VM that runs: the driver grows the disk, then the guest's kernel
//	         the filesystem
func (s *Service) ResizeVM(ctx context.Context, p rpc.VMResizeParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.resize", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, unlock, err := s.lockNamed(ctx, p.Name)
		if err != nil {
			return vm, err
		}
		defer unlock()
		l, err := s.running(ctx, vm)
		if err != nil {
			return vm, err
		}
		wishes, err := planResize(vm, p) // 1
		if err != nil {
			return vm, err
		}
		vm, err = s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error { // 2
			for _, w := range wishes {
				w.record(&vm.Spec)
			}
			return nil
		})
		if err != nil || l == nil {
			return vm, err
		}
		op.Stage("grow")
		for _, w := range wishes { // 3
			if err := s.growLive(ctx, vm, l, w); err != nil {
				return vm, model.Errorf(model.CodeOf(err), "growing the %s of VM %s: %w", w.name, vm.Name, err).
					WithHint("it is done at the next start: banger restart %s", vm.Name)
			}
		}
		return vm, nil
	})
}

// wish is a disk and the size that it shall have.
type wish struct {
	name   string
	path   string
	format vmm.DiskFormat
	size   int64
	record func(*model.VMSpec)
}

// planResize returns what is to grow, or why that cannot be.
func planResize(vm model.VM, p rpc.VMResizeParams) ([]wish, error) {
	var wishes []wish
	if p.DiskBytes != 0 {
		root := rootDisk(vm, model.Image{})
		wishes = append(wishes, wish{"root disk", root.Path, root.Format, p.DiskBytes,
			func(spec *model.VMSpec) { spec.DiskBytes = p.DiskBytes }})
	}
	if p.WorkBytes != 0 {
		if vm.Spec.Work == nil {
			return nil, model.Errorf(model.CodeConflict, "VM %s has no work disk", vm.Name).
				WithHint("a VM gets one when it is made: banger create --work SIZE")
		}
		wishes = append(wishes, wish{"work disk", workPath(vm), vmm.Raw, p.WorkBytes,
			func(spec *model.VMSpec) { spec.Work.SizeBytes = p.WorkBytes }})
	}
	if len(wishes) == 0 {
		return nil, model.Errorf(model.CodeInvalid, "no size is given").WithHint("banger vm resize %s --disk SIZE", vm.Name)
	}
	for _, w := range wishes {
		if err := w.check(vm); err != nil {
			return nil, err
		}
	}
	return wishes, nil
}

func (w wish) check(vm model.VM) error {
	if err := disk.CheckSize("a "+w.name, w.size); err != nil {
		return err
	}
	have, err := disk.Size(w.path, w.format)
	if err != nil {
		return fmt.Errorf("measuring the %s of VM %s: %w", w.name, vm.Name, err)
	}
	if w.size < have {
		return model.Errorf(model.CodeInvalid, "the %s of VM %s has %d bytes and cannot shrink to %d", w.name, vm.Name, have, w.size).
			WithHint("disks only grow; for a smaller one make another VM")
	}
	return nil
}

// growLive grows a disk under a guest. A disk that was not attached at this
// start waits for the next one.
func (s *Service) growLive(ctx context.Context, vm model.VM, l *live, w wish) error {
	i := slices.Index(vm.Runtime.Disks, w.path)
	if i < 0 {
		return model.Errorf(model.CodeConflict, "it was not attached at this start")
	}
	if vm.State != model.VMRunning {
		return model.Errorf(model.CodeConflict, "the VM is %s", vm.State)
	}
	if have, err := disk.Size(w.path, w.format); err != nil || have < w.size {
		if err = l.machine.ResizeDisk(ctx, i, w.size); err != nil {
			return err
		}
	}
	agent, err := l.agent(ctx)
	if err != nil {
		return err
	}
	return agent.Grow(ctx, diskDevice(i), w.size)
}
