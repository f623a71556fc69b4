package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"banger/internal/failpoint"
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
//	                   neither                                unknown, and sought
//	a run directory of no VM                                  removed when nothing runs there
//	a VM directory of no VM                                   left alone, and told
func (s *Service) Recover(ctx context.Context) error {
	vms, err := s.cfg.Store.VMs(ctx)
	if err != nil {
		return fmt.Errorf("recovering VMs: %w", err)
	}
	s.recoverEach(ctx, vms)
	return s.sweep(ctx)
}

// recoverAtOnce is how many VMs are looked for side by side: one that does
// not answer holds up few others.
const recoverAtOnce = 32

func (s *Service) recoverEach(ctx context.Context, vms []model.VM) {
	var group errgroup.Group
	group.SetLimit(recoverAtOnce)
	for _, vm := range vms {
		group.Go(func() error {
			if err := s.recoverVM(ctx, vm); err != nil {
				s.cfg.Log.Error("recovering a VM", "vm", vm.Name, "state", vm.State, "err", err)
			}
			return nil
		})
	}
	_ = group.Wait() // the others go on when one cannot be recovered
}

func (s *Service) recoverVM(ctx context.Context, vm model.VM) error {
	if err := failpoint.Hit(ctx, "vm.recover/vm"); err != nil {
		return err
	}
	switch vm.State {
	case model.VMStopped, model.VMFailed:
		s.comeBack(ctx, vm, true)
		return nil
	case model.VMCreating, model.VMDeleting:
		return s.remove(ctx, vm)
	}
	err := s.settle(ctx, vm, recoverTimeout)
	if err != nil {
		_, stateErr := s.setState(ctx, vm.ID, model.VMUnknown, err.Error())
		s.seek(ctx, vm.ID)
		return errors.Join(err, stateErr)
	}
	return nil
}

// settle makes the row of a VM that has been started agree with its process.
// An error means that nothing is known of the process.
func (s *Service) settle(ctx context.Context, vm model.VM, limit time.Duration) error {
	l, err := s.attach(ctx, vm, limit)
	switch {
	case errors.Is(err, vmm.ErrGone):
		return s.afterGone(ctx, vm)
	case err != nil:
		return err
	case !l.wasUp():
		l.expect(model.VMStopped, "the daemon went away while it booted")
		return errors.Join(s.kill(ctx, l), s.removeIfAuto(ctx, vm))
	case vm.State == model.VMStopping:
		_, err := s.setState(ctx, vm.ID, model.VMRunning, "")
		return err
	}
	return nil
}

// afterGone does for a VM whose process ended while no daemon ran what watch
// does for others.
func (s *Service) afterGone(ctx context.Context, vm model.VM) error {
	now, err := s.cfg.Store.VM(ctx, vm.ID)
	if err != nil {
		return err
	}
	s.comeBack(ctx, now, true)
	return s.removeIfAuto(ctx, now)
}

func (s *Service) removeIfAuto(ctx context.Context, vm model.VM) error {
	if !vm.Spec.AutoRemove {
		return nil
	}
	return s.remove(ctx, vm)
}

// sweep removes the run directories of starts that have certainly ended. VM
// directories that no row speaks of are only told of: no crash leaves one, so
// they mean that the database was lost, and they hold the users' disks.
func (s *Service) sweep(ctx context.Context) error {
	// Before the rows: a start has its row first, so what is seen here and has
	// no row then is nobody's.
	started := unknownIDs(s.cfg.Paths.VMRuns(), nil)
	vms, err := s.cfg.Store.VMs(ctx)
	if err != nil {
		return fmt.Errorf("recovering VMs: %w", err)
	}
	if err := failpoint.Hit(ctx, "vm.recover/rows"); err != nil {
		return err
	}
	dirs, runs := map[string]bool{}, map[string]bool{}
	for _, vm := range vms {
		dirs[vm.ID] = true
		runs[vm.Runtime.Generation] = true
	}
	for _, id := range unknownIDs(s.cfg.Paths.VMs(), dirs) {
		s.cfg.Log.Warn("a directory belongs to no VM of the database: it is left alone", "path", filepath.Join(s.cfg.Paths.VMs(), id))
	}
	var failed []error
	for _, generation := range started {
		if !runs[generation] && s.certainlyEnded(ctx, generation) {
			failed = append(failed, os.RemoveAll(s.runDir(generation)))
		}
	}
	return errors.Join(failed...)
}

// unknownIDs returns the names in dir that are ids and not known.
func unknownIDs(dir string, known map[string]bool) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // not there yet
	}
	var ids []string
	for _, e := range entries {
		if model.IsID(e.Name()) && !known[e.Name()] {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

// certainlyEnded says whether no driver's process can be left in a run
// directory.
func (s *Service) certainlyEnded(ctx context.Context, generation string) bool {
	for _, d := range s.cfg.Drivers {
		f, err := d.Features(ctx)
		if err != nil {
			return false
		}
		bounded, cancel := context.WithTimeout(ctx, attachTimeout)
		m, err := d.Attach(bounded, vmm.Record{Driver: f.Driver, Generation: generation, RunDir: s.runDir(generation)})
		cancel()
		if err == nil {
			_ = m.Close()
		}
		if !errors.Is(err, vmm.ErrGone) {
			s.cfg.Log.Warn("a process may be left of a start that no VM knows: it is left alone", "path", s.runDir(generation), "err", err)
			return false
		}
	}
	return true
}
