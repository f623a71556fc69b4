package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/vmm"
)

// The ways to clone, from the best to the most portable.
const (
	Reflink = "reflink" // the filesystem shares the blocks: instant, raw
	Overlay = "overlay" // a qcow2 above the base: instant
	Copy    = "copy"    // the data, not the holes
)

// Options say what a clone may be.
type Options struct {
	SizeBytes    int64 // of the disk; 0: the base's. Never less than it
	AllowOverlay bool  // the driver takes qcow2
}

// Result is a clone.
type Result struct {
	Path   string
	Format vmm.DiskFormat
	Method string // Reflink, Overlay or Copy
}

// Clone makes a writable disk in dir with the content of base, a raw file
// that must not change while the clone lives. It is named as in package
// model. On error there is none.
func Clone(ctx context.Context, base, dir string, opt Options) (Result, error) {
	size, err := sizeFor(base, opt.SizeBytes)
	if err != nil {
		return Result{}, err
	}
	raw := Result{filepath.Join(dir, model.RootRawFile), vmm.Raw, Reflink}
	err = writeWhole(raw.Path, func(f *os.File) error { return reflink(f, base, size) })
	if err == nil || !cannotReflink(err) {
		return raw, explain(base, err)
	}
	if opt.AllowOverlay {
		over := Result{filepath.Join(dir, model.RootQcowFile), vmm.Qcow2, Overlay}
		err = writeWhole(over.Path, func(f *os.File) error { return writeOverlay(f, base, size) })
		return over, explain(base, err)
	}
	raw.Method = Copy
	err = writeWhole(raw.Path, func(f *os.File) error { return copySparse(ctx, f, base, size) })
	return raw, explain(base, err)
}

func sizeFor(base string, asked int64) (int64, error) {
	st, err := os.Stat(base)
	if err != nil {
		return 0, fmt.Errorf("finding the base disk: %w", err)
	}
	if asked != 0 && asked < st.Size() {
		return 0, model.Errorf(model.CodeInvalid, "a disk of %d bytes cannot hold %s of %d bytes", asked, base, st.Size())
	}
	const sector = 4096
	return max(asked, st.Size()) / sector * sector, nil
}

// writeWhole makes a file that is whole or absent. It is not synced: a VM
// that was being created when the host lost power is removed at recovery.
func writeWhole(path string, fill func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".disk-*")
	if err != nil {
		return err
	}
	err = errors.Join(fill(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// reflink shares base's blocks (ioctl_ficlone(2)).
func reflink(f *os.File, base string, size int64) error {
	src, err := os.Open(base)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	if err := unix.IoctlFileClone(int(f.Fd()), int(src.Fd())); err != nil {
		return fmt.Errorf("cloning: %w", err)
	}
	return f.Truncate(size)
}

// cannotReflink: the filesystem does not do it, or base is on another one.
func cannotReflink(err error) bool {
	for _, e := range []error{unix.EOPNOTSUPP, unix.EXDEV, unix.ENOTTY, unix.EINVAL, unix.ENOSYS, unix.EPERM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// explain gives the error of a clone its code.
func explain(base string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return model.Errorf(model.CodeNoSpace, "cloning %s: %w", base, err).
			WithHint("free some space: `banger ps` and `banger image list` show what is kept")
	}
	return fmt.Errorf("cloning %s: %w", base, err)
}
