package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// writeWhole makes a file of what write writes, whole or not at all, and
// returns its size. Where path leads to a device or a pipe, that is written to.
func writeWhole(path string, write func(io.Writer) error) (int64, error) {
	if led, err := filepath.EvalSymlinks(path); err == nil {
		path = led
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return 0, model.Errorf(model.CodeInvalid, "%s is a directory", path).WithHint("name a file in it")
	case err == nil && !info.Mode().IsRegular():
		return writeInto(path, write)
	}
	f, err := tempBeside(path)
	if err != nil {
		code := cmp.Or(map[bool]model.Code{true: model.CodeNotFound}[errors.Is(err, fs.ErrNotExist)], model.CodeOf(err))
		return 0, model.Errorf(code, "making a file beside %s: %w", path, err)
	}
	defer f.Close()
	counted := &counter{w: f}
	if err = errors.Join(write(counted), f.Sync()); err == nil {
		err = appear(f, path)
	}
	if err != nil && f.Name() != path {
		_ = os.Remove(f.Name())
	}
	return counted.n, err
}

// writeInto writes to what is there already.
func writeInto(path string, write func(io.Writer) error) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	counted := &counter{w: f}
	err = errors.Join(write(counted), f.Close())
	return counted.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// tempBeside makes a file in the directory of path: one without a name, which
// goes with this process (open(2), O_TMPFILE), where filesystems know that.
func tempBeside(path string) (*os.File, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		return os.CreateTemp(filepath.Dir(path), ".banger-*")
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// appear gives the file of tempBeside its place. One without a name can be
// given a new one, but not that of another file: so it takes two steps.
func appear(f *os.File, path string) error {
	if f.Name() != path {
		return errors.Join(f.Chmod(0o644), os.Rename(f.Name(), path))
	}
	temp := fmt.Sprintf("%s/.banger-%d", filepath.Dir(path), os.Getpid())
	if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, temp, unix.AT_SYMLINK_FOLLOW); err != nil {
		return fmt.Errorf("naming %s: %w", temp, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
