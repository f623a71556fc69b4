package kernelcat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"banger/internal/failpoint"
)

// unusedInitramfs is how long an initial file system is kept that no boot
// asks for: one of an older agent or a deleted kernel never is again.
const unusedInitramfs = 30 * 24 * time.Hour

// Recover removes what an earlier daemon left half done: staging directories,
// kernels without a row, half-written and long unused initial file systems,
// what was to be pushed.
// It is called before any other method. Rows without files stay: their disk
// may only not be mounted, and EnsureKernel makes up for them.
func (s *Service) Recover(ctx context.Context) error {
	err := s.sweepKernels(ctx)
	return errors.Join(err, failpoint.Hit(ctx, "kernel.recover/swept"), s.sweepInitramfs(), s.sweepTemp())
}

// sweepTemp removes what a push had compressed and a test unpacked.
func (s *Service) sweepTemp() error {
	var failed []error
	for _, prefix := range []string{pushPrefix, testPrefix} {
		dirs, err := filepath.Glob(filepath.Join(globQuote(s.cfg.Paths.Cache), prefix+"*"))
		failed = append(failed, err)
		for _, dir := range dirs {
			failed = append(failed, os.RemoveAll(dir))
		}
	}
	return errors.Join(failed...)
}

func (s *Service) sweepKernels(ctx context.Context) error {
	entries, err := os.ReadDir(s.cfg.Paths.Kernels())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listing kernels: %w", err)
	}
	rows, err := s.cfg.Store.Kernels(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, k := range rows {
		known[k.Name] = true
	}
	var failed []error
	for _, e := range entries {
		if e.IsDir() && !known[e.Name()] {
			failed = append(failed, os.RemoveAll(s.dir(e.Name())))
		}
	}
	return errors.Join(failed...)
}

func (s *Service) sweepInitramfs() error {
	dir := s.cfg.Paths.Initramfs()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listing initial file systems: %w", err)
	}
	var failed []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.Type().IsRegular() {
			continue
		}
		whole := strings.HasSuffix(e.Name(), initramfsExt) || strings.HasSuffix(e.Name(), modulesDiskExt)
		if !whole || time.Since(info.ModTime()) > unusedInitramfs {
			failed = append(failed, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(failed...)
}
