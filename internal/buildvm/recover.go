package buildvm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/renameio/v2"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/vmm"
)

// Recover ends the VMs of builds that an earlier daemon did not see through,
// and removes what they left. It comes before the images' own recovery, which
// takes their disks away.
func (s *Service) Recover(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.RunDir, 0o700); err != nil {
		return fmt.Errorf("making the directory of builds' VMs: %w", err)
	}
	entries, err := os.ReadDir(s.cfg.RunDir)
	if err != nil {
		return fmt.Errorf("listing the VMs of builds: %w", err)
	}
	var failed []error
	seen := map[string]bool{}
	for _, e := range entries {
		generation := strings.TrimSuffix(e.Name(), ".json")
		if !model.IsID(generation) || seen[generation] {
			continue
		}
		seen[generation] = true
		failed = append(failed, s.end(ctx, generation))
	}
	return errors.Join(failed...)
}

// end kills a VM, when there is one, and clears up once it is certainly gone.
func (s *Service) end(ctx context.Context, generation string) error {
	features, err := s.cfg.Driver.Features(ctx)
	if err != nil {
		s.cfg.Log.Warn("a build's VM may be left: nothing can be told without its driver", "err", err)
		return nil // the next start tries again
	}
	m, err := s.cfg.Driver.Attach(ctx, s.record(generation, features.Driver))
	if err == nil {
		err = errors.Join(m.Kill(ctx), m.Close())
	} else if errors.Is(err, vmm.ErrGone) {
		err = nil
	}
	if err == nil {
		err = failpoint.Hit(ctx, "build.vm.recover/ended")
	}
	if err != nil {
		return fmt.Errorf("ending the VM of a build: %w", err)
	}
	return s.clear(ctx, generation)
}

// keepRecord writes down which process a VM is.
func (s *Service) keepRecord(rec vmm.Record) error {
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return renameio.WriteFile(s.recordPath(rec.Generation), text, 0o600)
}

// record returns what is known of a VM. Of a daemon that died as it started
// the process there is no record: the driver then finds it by the run
// directory.
func (s *Service) record(generation, driver string) vmm.Record {
	rec := vmm.Record{ID: vmID(generation), Generation: generation, Driver: driver, RunDir: s.runDir(generation)}
	text, err := os.ReadFile(s.recordPath(generation))
	var kept vmm.Record
	if err == nil && json.Unmarshal(text, &kept) == nil {
		rec.Process = kept.Process
	}
	return rec
}
