package vm

import (
	"context"

	"banger/internal/disk"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// CommitVM makes an image of the root disk of a VM. That of a paused VM is what
// a power cut would leave: what its guest had not written yet is not in it.
//
//	1 guard   a VM that runs is refused; it is not started or resumed meanwhile
//	2 commit  the image service copies the disk and makes the image
func (s *Service) CommitVM(ctx context.Context, p rpc.VMCommitParams, report model.Report) (model.Image, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.commit", p.Name, report, func(ctx context.Context, op *operation.Op) (model.Image, error) {
		vm, unlock, err := s.lockNamed(ctx, p.Name)
		if err != nil {
			return model.Image{}, err
		}
		defer unlock()
		if err := s.refuseChanging(vm); err != nil { // 1
			return model.Image{}, err
		}
		if vm.State == model.VMPaused {
			op.Report(model.Progress{Note: "the VM is paused: what its guest has not written to the disk yet is not in the image"})
		}
		if err := failpoint.Hit(ctx, "vm.commit/guarded"); err != nil {
			return model.Image{}, err
		}
		img, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: vm.ImageID})
		if err != nil {
			return model.Image{}, err
		}
		flatten := func(ctx context.Context, dst string) error {
			return disk.Flatten(ctx, vm.RootPath(), vm.RootClone, img.RootfsPath(), dst)
		}
		return s.cfg.Images.CommitDisk(ctx, vm, p.Image, flatten, op.Report) // 2
	})
}

// refuseChanging refuses a VM whose guest may write to its disk.
func (s *Service) refuseChanging(vm model.VM) error {
	off := (vm.State == model.VMStopped || vm.State == model.VMFailed) && s.lookup(vm.ID) == nil
	if off || vm.State == model.VMPaused {
		return nil
	}
	return model.Errorf(model.CodeConflict, "VM %s is %s: its disk may change", vm.Name, vm.State).
		WithHint("stop it first, banger stop %s, or hold it still: banger pause %s", vm.Name, vm.Name)
}
