package kernelcat

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"banger/internal/model"

	"golang.org/x/sys/unix"
)

// Limits of one kernel's directory; the largest distributions' have some
// 7,000 files and 600 MB.
const (
	maxKernelFiles = 100_000
	maxKernelBytes = 4 << 30
)

// ConfigFile is the kernel's build configuration in its directory, when the
// source had it.
const ConfigFile = "config"

// stage is the directory in which a kernel is made: kernels/<name>.staging.
// All writing goes through root, so that no name can lead out of it.
type stage struct {
	dir   string
	root  *os.Root
	files int
	bytes int64
}

// dir is where the kernel called name is kept.
func (s *Service) dir(name string) string { return filepath.Join(s.cfg.Paths.Kernels(), name) }

// newStage makes an empty staging directory; one that a crash left is
// removed. The caller holds the kernel's lock.
func newStage(final string) (*stage, error) {
	dir := final + model.StagingExt
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("removing an old staging directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a staging directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a staging directory: %w", err), os.RemoveAll(dir))
	}
	return &stage{dir: dir, root: root}, nil
}

// abort removes the directory. After publish it does nothing.
func (st *stage) abort() error { return errors.Join(st.root.Close(), os.RemoveAll(st.dir)) }

// path is the absolute path of a file in the directory.
func (st *stage) path(name string) string { return filepath.Join(st.dir, name) }

// write makes one file of all of r. A name that is there already is an
// error, and so is more than a kernel may have.
func (st *stage) write(name string, r io.Reader) error {
	if st.files++; st.files > maxKernelFiles {
		return model.Errorf(model.CodeLimit, "the kernel has more than %d files", maxKernelFiles)
	}
	f, err := st.create(name)
	if err != nil {
		return writeError(name, err)
	}
	n, err := io.Copy(f, io.LimitReader(r, maxKernelBytes-st.bytes+1))
	st.bytes += n
	if err = errors.Join(err, f.Close()); err != nil {
		return writeError(name, err)
	}
	if st.bytes > maxKernelBytes {
		return model.Errorf(model.CodeLimit, "the kernel has more than %d bytes", int64(maxKernelBytes))
	}
	return nil
}

func (st *stage) create(name string) (*os.File, error) {
	if err := st.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return st.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// writeError gives what kept a file from being written its code: a name that
// is taken is the source's fault, a full disk the host's.
func writeError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR):
		return model.Errorf(model.CodeIntegrity, "the source has the name %s twice: %w", name, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return model.Errorf(model.CodeNoSpace, "writing %s: %w", name, err)
	default:
		return fmt.Errorf("writing %s: %w", name, err)
	}
}

// publish makes the directory final: everything is on disk before its name
// is. Thousands of files are cheaper to sync by file system than one by one.
func (st *stage) publish(final string) error {
	if err := syncDir(st.dir, unix.Syncfs); err != nil {
		return err
	}
	if err := os.Rename(st.dir, final); err != nil {
		return fmt.Errorf("publishing kernel: %w", err)
	}
	return syncDir(filepath.Dir(final), unix.Fsync)
}

func syncDir(dir string, sync func(fd int) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	err = sync(int(d.Fd()))
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}
