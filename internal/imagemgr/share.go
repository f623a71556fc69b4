package imagemgr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Clone makes dst, which must not exist, an independent copy of src: a
// reflink where the filesystem can, else a copy that keeps holes.
func Clone(src, dst string) error {
	in, err := os.Open(src)
	if err != nil {
		return fmt.Errorf("cloning: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cloning: %w", err)
	}
	err = unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if err != nil {
		err = copySparse(out, in)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(dst)
		return fmt.Errorf("cloning %s: %w", src, err)
	}
	return nil
}

// Share makes dst, which must not exist, hold what src holds without a second
// copy where that is possible: a hard link or a reflink, else a copy. It is
// for files that nobody writes again.
func Share(src, dst string) error {
	if err := os.Link(src, dst); err == nil {
		return nil
	}
	return Clone(src, dst)
}

// copySparse copies the data of in and leaves its holes.
func copySparse(out, in *os.File) error {
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	for end := int64(0); end < size; {
		start, err := in.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // a hole up to the end
			return nil
		}
		if err != nil {
			return err
		}
		if end, err = in.Seek(start, unix.SEEK_HOLE); err != nil {
			return err
		}
		data := io.NewSectionReader(in, start, end-start)
		if _, err := io.Copy(io.NewOffsetWriter(out, start), data); err != nil {
			return err
		}
	}
	return nil
}

// ShareTree makes dst, which must not exist, a directory tree whose regular
// files are shared with those of src; all else of src is left out. Src is a
// tree of ours: its size was bounded when it was made.
func ShareTree(ctx context.Context, src, dst string) error {
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.Mkdir(filepath.Join(dst, rel), 0o700)
		case d.Type().IsRegular():
			return Share(path, filepath.Join(dst, rel))
		}
		return nil
	})
}
