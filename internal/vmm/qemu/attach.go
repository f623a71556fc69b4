package qemu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/vmm"
)

// Attach implements vmm.Driver. The process must have the identity of the
// record, and its monitor must answer with the name of the VM and its
// generation. A record without a process, of a daemon that died while it
// started one, is completed from the run directory.
func (d *Driver) Attach(ctx context.Context, rec vmm.Record) (vmm.Machine, error) {
	m, err := d.attach(ctx, rec)
	if errors.Is(err, proc.ErrGone) {
		return nil, fmt.Errorf("attaching to the VM: %w", vmm.ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("attaching to the VM: %w", err)
	}
	return m, nil
}

func (d *Driver) attach(ctx context.Context, rec vmm.Record) (vmm.Machine, error) {
	if rec.Driver != driverName {
		return nil, fmt.Errorf("it belongs to driver %q", rec.Driver)
	}
	if rec.Process == (model.ProcessID{}) {
		var err error
		if rec.Process, err = findProcess(rec.RunDir); err != nil {
			return nil, err
		}
	}
	process, err := proc.Open(rec.Process)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.StartLimit)
	defer cancel()
	mon, err := greet(ctx, rec.RunDir, vmName(rec.ID, rec.Generation))
	if err != nil {
		if process.Ended() {
			err = proc.ErrGone
		}
		_ = process.Close()
		return nil, err
	}
	return newMachine(ctx, rec, process, mon), nil
}

// findProcess finds the process that started in a run directory. It is gone
// if nobody holds the directory's lock.
func findProcess(runDir string) (model.ProcessID, error) {
	f, err := lock(runDir)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the directory was never prepared
		return model.ProcessID{}, proc.ErrGone
	case err == nil:
		_ = f.Close()
		return model.ProcessID{}, proc.ErrGone
	case !errors.Is(err, unix.EWOULDBLOCK):
		return model.ProcessID{}, err
	}
	b, err := os.ReadFile(filepath.Join(runDir, pidFile))
	if err != nil {
		return model.ProcessID{}, fmt.Errorf("a QEMU holds the lock: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return model.ProcessID{}, fmt.Errorf("reading QEMU's pid file: %w", err)
	}
	return proc.Identify(pid)
}
