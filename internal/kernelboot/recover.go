package kernelboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// end kills the machine of one test, when there is one, and removes its run
// directory once it is certain to be gone.
func (t *Tester) end(ctx context.Context, generation string) error {
	run := filepath.Join(t.cfg.RunDir, generation)
	features, err := t.cfg.Driver.Features(ctx)
	if err != nil {
		return nil // nothing can be told without the driver: the next start tries again
	}
	m, err := t.cfg.Driver.Attach(ctx, vmm.Record{ID: vmID, Generation: generation, Driver: features.Driver, RunDir: run})
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
