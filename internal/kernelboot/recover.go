package kernelboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"banger/internal/vmm"
)

// Recover ends the machines of tests that an earlier daemon did not see
// through, and removes what they left.
func (t *Tester) Recover(ctx context.Context) error {
	runs, err := os.ReadDir(t.cfg.RunDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listing kernel tests: %w", err)
	}
	var failed []error
	for _, e := range runs {
		failed = append(failed, t.end(ctx, e.Name()))
	}
	return errors.Join(append(failed, os.RemoveAll(t.cfg.Dir))...)
}

// recordFile is the driver's record of a test's machine, beside its disk.
const recordFile = "record.json"

// keepRecord writes down which process a test's machine is.
func (t *Tester) keepRecord(rec vmm.Record) error {
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(t.cfg.Dir, rec.Generation, recordFile), text, 0o600)
}

// record returns what is known of a test's machine. Of a daemon that died as
// it started the machine there is no record: the driver then finds the
// process by the run directory.
func (t *Tester) record(generation, driver string) vmm.Record {
	rec := vmm.Record{ID: vmID, Generation: generation, Driver: driver, RunDir: filepath.Join(t.cfg.RunDir, generation)}
	text, err := os.ReadFile(filepath.Join(t.cfg.Dir, generation, recordFile))
	var kept vmm.Record
	if err == nil && json.Unmarshal(text, &kept) == nil {
		rec.Process = kept.Process
	}
	return rec
}

// end kills the machine of one test, when there is one, and removes its run
// directory once it is certain to be gone.
func (t *Tester) end(ctx context.Context, generation string) error {
	run := filepath.Join(t.cfg.RunDir, generation)
	features, err := t.cfg.Driver.Features(ctx)
	if err != nil {
		return nil //nolint:nilerr // without the driver nothing can be told: the next start tries again
	}
	m, err := t.cfg.Driver.Attach(ctx, t.record(generation, features.Driver))
	if errors.Is(err, vmm.ErrGone) {
		return os.RemoveAll(run)
	}
	if err != nil {
		return fmt.Errorf("ending a kernel test: %w", err)
	}
	if err := errors.Join(m.Kill(ctx), m.Close()); err != nil {
		return fmt.Errorf("ending a kernel test: %w", err)
	}
	return os.RemoveAll(run)
}
