package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"banger/internal/model"
	"banger/internal/store"
	"banger/test/report"
)

// execLatency is the time of one command in a guest that runs, as a shell
// sees it: the client's start included.
func execLatency(ctx context.Context, h *home) ([]report.Row, error) {
	if _, err := h.banger(ctx, "create", "--start", "--name", "exec", image); err != nil {
		return nil, err
	}
	took, err := h.timed(ctx, 100, "exec", "exec", "--", "true")
	if err != nil {
		return nil, err
	}
	return []report.Row{
		report.Figure("exec true, median of 100", report.Median(took), "ms").Against(20),
		report.Figure("exec true, 95th percentile", report.Quantile(took, 0.95), "ms"),
	}, nil
}

const manyCount = 1000

// manyVMs is the time of ps with many VMs on file, in a home of their own.
func manyVMs(ctx context.Context, h *home) (rows []report.Row, err error) {
	many, err := newHome(h.bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, many.destroy(ctx)) }()
	if err := many.populate(ctx, manyCount); err != nil {
		return nil, fmt.Errorf("storing %d VMs: %w", manyCount, err)
	}
	if _, err := many.banger(ctx, "ps"); err != nil { // starts the daemon
		return nil, err
	}
	took, err := many.timed(ctx, 20, "ps")
	if err != nil {
		return nil, err
	}
	return []report.Row{report.Figure("ps with 1000 VMs, median of 20", report.Median(took), "ms").Against(50)}, nil
}

// populate stores n stopped VMs of one image, before any daemon runs.
func (h *home) populate(ctx context.Context, n int) error {
	paths, err := model.DefaultPaths(func(key string) string {
		return map[string]string{"BANGER_HOME": h.dir}[key]
	}, os.Getuid())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(paths.State, 0o700); err != nil {
		return err
	}
	db, err := store.Open(ctx, paths.DB())
	if err != nil {
		return err
	}
	now := time.Now()
	img := model.Image{ID: model.NewID(), Name: image, Managed: true, CreatedAt: now}
	img.Dir = filepath.Join(paths.Images(), img.ID)
	err = errors.Join(
		os.MkdirAll(img.Dir, 0o700),
		os.WriteFile(filepath.Join(img.Dir, model.RootfsFile), nil, 0o600), // it is there, as recovery sees it
		db.InsertImage(ctx, img),
	)
	for i := 0; i < n && err == nil; i++ {
		vm := model.VM{
			ID: model.NewID(), Name: fmt.Sprintf("vm-%d", i), State: model.VMStopped,
			ImageID: img.ID, Image: image, CreatedAt: now,
			Spec: model.VMSpec{CPUs: 1, MemoryMiB: 512, Network: model.NetUser},
		}
		vm.Dir = filepath.Join(paths.VMs(), vm.ID)
		err = errors.Join(os.MkdirAll(vm.Dir, 0o700), db.InsertVM(ctx, vm))
	}
	return errors.Join(err, db.Close())
}
