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

// wish is a disk and the size that it shall have. The spec has the size first:
// the next start brings it, come what may. A VM that runs gets it at once: the
// driver grows the disk, then the guest's kernel the filesystem.
type wish struct {
	name   string
	path   string
	format vmm.DiskFormat
	size   int64
}

func rootWish(vm model.VM, size int64) wish {
	root := rootDisk(vm, model.Image{})
	return wish{"root disk", root.Path, root.Format, size}
}

func workWish(vm model.VM, size int64) wish { return wish{"work disk", workPath(vm), vmm.Raw, size} }

// setDisk is the setting of the root disk's size.
func setDisk(vm *model.VM, size int64) error {
	vm.Spec.DiskBytes = size
	return rootWish(*vm, size).check(*vm)
}

// setWork is the setting of the work disk's size.
func setWork(vm *model.VM, size int64) error {
	if vm.Spec.Work == nil {
		return model.Errorf(model.CodeConflict, "VM %s has no work disk", vm.Name).
			WithHint("a VM gets one when it is made: banger create --work SIZE")
	}
	vm.Spec.Work.SizeBytes = size
	return workWish(*vm, size).check(*vm)
}

// check refuses a size that the disk cannot have.
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

// growDisks grows the disks of a VM that runs. It returns the settings that
// have to wait for the next start, and tells why.
func (s *Service) growDisks(ctx context.Context, op *operation.Op, vm model.VM, l *live, p rpc.VMSetParams) (late []string) {
	wishes := map[string]wish{}
	if p.DiskBytes != nil {
		wishes["disk"] = rootWish(vm, *p.DiskBytes)
	}
	if p.WorkBytes != nil {
		wishes["work"] = workWish(vm, *p.WorkBytes)
	}
	for name, w := range wishes {
		op.Stage("grow")
		if err := s.growLive(ctx, vm, l, w); err != nil {
			late = append(late, name)
			op.Report(model.Progress{Note: fmt.Sprintf("the %s of %s cannot grow while it runs: %v", w.name, vm.Name, err)})
		}
	}
	return late
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

// updateDisks is the store's UpdateVM for a change that may give the VM larger
// disks. It needs the VM's lock. change is called twice.
func (s *Service) updateDisks(ctx context.Context, vm model.VM, change func(*model.VM) error) (changed model.VM, err error) {
	will := vm
	if vm.Spec.Work != nil {
		work := *vm.Spec.Work
		will.Spec.Work = &work
	}
	if err := change(&will); err != nil {
		return vm, err
	}
	err = s.cfg.Disks.Grow(ctx, will.DiskBytes()-vm.DiskBytes(), func() error {
		changed, err = s.cfg.Store.UpdateVM(ctx, vm.ID, change)
		return err
	})
	return changed, err
}
