package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/model"
	"banger/internal/vmm"
)

// Recover makes rows, directories and processes agree after the daemon was
// away. It never ends a VM that may be healthy:
//
//	creating           its daemon went away in the middle     removed
//	deleting           the same                               removed
//	starting           its boot was not seen through          killed, stopped
//	running, unknown   found by its driver                    running
//	                   certain to be gone                     stopped
//	                   neither                                unknown
//	a directory of no VM                                      removed
func (s *Service) Recover(ctx context.Context) error {
	vms, err := s.cfg.Store.VMs(ctx)
	if err != nil {
		return fmt.Errorf("recovering VMs: %w", err)
	}
	for _, vm := range vms {
		if err := s.recoverVM(ctx, vm); err != nil {
			s.cfg.Log.Error("recovering a VM", "vm", vm.Name, "state", vm.State, "err", err)
		}
	}
	return s.sweep(ctx)
}

func (s *Service) recoverVM(ctx context.Context, vm model.VM) error {
	switch vm.State {
	case model.VMStopped, model.VMFailed:
		return nil
	case model.VMCreating, model.VMDeleting:
		return s.remove(ctx, vm)
	}
	l, err := s.attach(ctx, vm)
	switch {
	case errors.Is(err, vmm.ErrGone):
		return s.removeIfAuto(ctx, vm)
	case err != nil:
		_, stateErr := s.setState(ctx, vm.ID, model.VMUnknown, err.Error())
		return errors.Join(err, stateErr)
	case vm.State == model.VMStarting:
		l.expect(model.VMStopped, "the daemon went away while it booted")
		return errors.Join(s.kill(ctx, l), s.removeIfAuto(ctx, vm))
	case vm.State == model.VMStopping:
		_, err := s.setState(ctx, vm.ID, model.VMRunning, "")
		return err
	}
	return nil
}

func (s *Service) removeIfAuto(ctx context.Context, vm model.VM) error {
	if !vm.Spec.AutoRemove {
		return nil
	}
	return s.remove(ctx, vm)
}

// sweep removes directories that no row speaks of. Only names that banger
// itself gives are touched.
func (s *Service) sweep(ctx context.Context) error {
	vms, err := s.cfg.Store.VMs(ctx)
	if err != nil {
		return fmt.Errorf("recovering VMs: %w", err)
	}
	dirs, runs := map[string]bool{}, map[string]bool{}
	for _, vm := range vms {
		dirs[vm.ID] = true
		runs[vm.Runtime.Generation] = true
	}
	return errors.Join(
		s.sweepDir(s.cfg.Paths.VMs(), dirs),
		s.sweepDir(s.cfg.Paths.VMRuns(), runs),
	)
}

func (s *Service) sweepDir(dir string, known map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if known[e.Name()] || !model.IsID(e.Name()) {
			continue
		}
		s.cfg.Log.Info("removing what no VM owns", "path", filepath.Join(dir, e.Name()))
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
