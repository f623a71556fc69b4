package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/rpc"
)

// rows is what the database says.
type rows struct {
	images  []model.Image
	kernels []model.Kernel
	vms     []model.VM
	volumes []model.Volume
}

func (s *Service) rows(ctx context.Context) (r rows, err error) {
	if r.images, err = s.cfg.Store.Images(ctx); err != nil {
		return r, err
	}
	if r.kernels, err = s.cfg.Store.Kernels(ctx); err != nil {
		return r, err
	}
	if r.volumes, err = s.cfg.Store.Volumes(ctx); err != nil {
		return r, err
	}
	r.vms, err = s.cfg.Store.VMs(ctx)
	return r, err
}

// CheckState implements rpc.HealthAPI. Only what is wrong is told, or one
// line when nothing is.
//
//	VMs          rows against processes and disks; directories of no row
//	starts       run directories of no VM
//	images       rows against files; directories of no row, half made ones
//	kernels      the same
//
// With Fix the VMs are looked for again, what is left of starts that have
// ended is removed, and so are half made images and kernels while nothing is
// being made. Directories without a row are only told of: they may hold
// somebody's disk.
func (s *Service) CheckState(ctx context.Context, p rpc.CheckParams) ([]model.Check, error) {
	if p.Fix {
		if err := s.mend(ctx); err != nil {
			return nil, err
		}
	}
	r, err := s.rows(ctx)
	if err != nil {
		return nil, err
	}
	found := checkVMs(r.vms)
	found = append(found, s.checkDirs(r)...)
	found = append(found, checkFiles(r)...)
	if len(found) == 0 {
		found = []model.Check{ok("state", fmt.Sprintf("%d VMs, %d images, %d kernels: rows, files and processes agree", len(r.vms), len(r.images), len(r.kernels)))}
	}
	return found, nil
}

func (s *Service) mend(ctx context.Context) error {
	if err := s.cfg.VMs.Mend(ctx); err != nil {
		return err
	}
	if s.cfg.Running() > 0 {
		return nil // what is half made may be being made
	}
	for _, dir := range []string{s.cfg.Paths.Images(), s.cfg.Paths.Kernels()} {
		for _, name := range entries(dir) {
			if !strings.HasSuffix(name, model.StagingExt) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("removing what is half made: %w", err)
			}
		}
	}
	return nil
}

// checkVMs compares rows with processes.
func checkVMs(vms []model.VM) (found []model.Check) {
	for _, vm := range vms {
		switch vm.State {
		case model.VMUnknown:
			found = append(found, warn("VM "+vm.Name, "its process does not answer: "+vm.Reason, "banger kill "+vm.Name))
		case model.VMRunning, model.VMPaused, model.VMStopping:
			if !runs(vm.Runtime.Process) {
				found = append(found, fail("VM "+vm.Name, fmt.Sprintf("it is %s and has no process", vm.State), fixHint))
			}
		}
	}
	return found
}

// runs tells whether there is a process of that identity, or none is known.
func runs(id model.ProcessID) bool {
	p, err := proc.Open(id)
	if err != nil {
		return !isGone(err)
	}
	_ = p.Close()
	return true
}

// checkDirs compares directories with rows.
func (s *Service) checkDirs(r rows) []model.Check {
	if s.cfg.Running() > 0 {
		return nil // what is being made may have no row yet
	}
	vms, starts, images, kernels, volumes := names{}, names{}, names{}, names{}, names{}
	for _, v := range r.volumes {
		volumes.add(v.ID)
	}
	for _, vm := range r.vms {
		vms.add(vm.ID)
		starts.add(vm.Runtime.Generation)
	}
	for _, img := range r.images {
		images.add(img.ID)
	}
	for _, k := range r.kernels {
		kernels.add(k.Name)
	}
	found := unowned("VM directory", s.cfg.Paths.VMs(), vms, lookHint)
	found = append(found, unowned("volume directory", s.cfg.Paths.Volumes(), volumes, lookHint)...)
	found = append(found, unowned("start", s.cfg.Paths.VMRuns(), starts, fixHint)...)
	found = append(found, unowned("image directory", s.cfg.Paths.Images(), images, lookHint)...)
	return append(found, unowned("kernel directory", s.cfg.Paths.Kernels(), kernels, lookHint)...)
}

type names map[string]bool

func (n names) add(name string) { n[name] = true }

// What to do about a directory.
const (
	lookHint = "look into it, then remove it"
	fixHint  = "banger system check --fix"
)

// unowned tells of the directories in dir that no row speaks of, and what to
// do; half made ones are removed by a check that mends.
func unowned(what, dir string, known names, hint string) (found []model.Check) {
	for _, name := range entries(dir) {
		if known[name] {
			continue
		}
		next := hint
		if strings.HasSuffix(name, model.StagingExt) {
			next = fixHint
		}
		found = append(found, warn(what, filepath.Join(dir, name)+" belongs to nothing in the database", next))
	}
	return found
}

// entries returns the names of the directories in dir; none when it is not
// there yet.
func entries(dir string) (found []string) {
	all, _ := os.ReadDir(dir)
	for _, e := range all {
		if e.IsDir() {
			found = append(found, e.Name())
		}
	}
	return found
}

// checkFiles looks for rows whose files are gone.
func checkFiles(r rows) (found []model.Check) {
	for _, img := range r.images {
		if missing(img.RootfsPath()) {
			found = append(found, fail("image "+img.Name, "its root filesystem is gone", "banger image delete "+img.Name))
		}
	}
	for _, v := range r.volumes {
		if v.State == model.VolumeReady && missing(filepath.Join(v.Dir, model.VolumeFile)) {
			found = append(found, fail("volume "+v.Name, "its disk is gone", "banger volume show "+v.Name))
		}
	}
	for _, k := range r.kernels {
		if missing(filepath.Join(k.Dir, model.VmlinuxFile)) {
			found = append(found, fail("kernel "+k.Name, "its files are gone", "banger kernel delete "+k.Name))
		}
	}
	for _, vm := range r.vms {
		if vm.State != model.VMCreating && vm.State != model.VMDeleting && missing(vm.RootPath()) {
			found = append(found, fail("VM "+vm.Name, "its root disk is gone", "banger rm --force "+vm.Name))
		}
	}
	return found
}
