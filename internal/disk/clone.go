package disk

import (
	"cmp"
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
	Name         string // of the file, without its extension; "": root
	SizeBytes    int64  // of the disk; 0: the base's. Never less than it; rounded up to 4 KiB
	AllowOverlay bool   // the driver takes qcow2
}

// Result is a clone.
type Result struct {
	Path   string
	Format vmm.DiskFormat
	Method string // Reflink, Overlay or Copy
}

// Clone makes a writable disk in dir with the content of base, a raw file
// that must not change while the clone lives. It is named as in package
// model, unless the options say otherwise. On error there is none.
func Clone(ctx context.Context, base, dir string, opt Options) (Result, error) {
	size, err := sizeFor(base, opt.SizeBytes)
	if err != nil {
		return Result{}, err
	}
	name := filepath.Join(dir, cmp.Or(opt.Name, "root"))
	raw := Result{name + filepath.Ext(model.RootRawFile), vmm.Raw, Reflink}
	err = writeWhole(raw.Path, func(f *os.File) error { return reflink(f, base, size) })
	if err == nil || !cannotReflink(err) {
		return raw, explain("cloning", base, err)
	}
	if opt.AllowOverlay {
		over := Result{name + filepath.Ext(model.RootQcowFile), vmm.Qcow2, Overlay}
		err = writeWhole(over.Path, func(f *os.File) error { return writeOverlay(f, base, size) })
		return over, explain("cloning", base, err)
	}
	raw.Method = Copy
	err = writeWhole(raw.Path, func(f *os.File) error { return copySparse(ctx, f, base, size) })
	return raw, explain("cloning", base, err)
}

func sizeFor(base string, asked int64) (int64, error) {
	st, err := os.Stat(base)
	if err != nil {
		return 0, fmt.Errorf("finding the base disk: %w", err)
	}
	if asked != 0 && asked < st.Size() {
		return 0, model.Errorf(model.CodeInvalid, "a disk of %d bytes cannot hold %s of %d bytes", asked, base, st.Size())
	}
	return roundUp(max(asked, st.Size())), nil
}

// roundUp returns size as a multiple of the largest usual sector.
func roundUp(size int64) int64 {
	const sector = 4096
	return (size + sector - 1) / sector * sector
}

// writeWhole makes a file that is whole or absent, even if the host loses
// power: a VM may be recorded as soon as its disk is there.
func writeWhole(path string, fill func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".disk-*")
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
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

// explain says what err kept from being done, with the code of a full disk.
func explain(doing, path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
		return model.Errorf(model.CodeNoSpace, "%s %s: %w", doing, path, err).
			WithHint("free some space: `banger ps` and `banger image list` show what is kept")
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
