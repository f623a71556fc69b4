package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyStep is how much is copied before the context is looked at again.
const copyStep = 16 << 20

// copySparse copies the data of base and leaves its holes
// (lseek(2), SEEK_DATA; copy_file_range(2)).
func copySparse(ctx context.Context, f *os.File, base string, size int64) error {
	src, err := os.Open(base)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	if err := f.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); ; {
		start, err := unix.Seek(int(src.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for data: %w", err)
		}
		end, err := unix.Seek(int(src.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("looking for holes: %w", err)
		}
		if err := copyExtent(ctx, f, src, start, end); err != nil {
			return err
		}
		at = end
	}
}

func copyExtent(ctx context.Context, dst, src *os.File, start, end int64) error {
	for start < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := start, start
		n, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(min(end-start, copyStep)), 0)
		if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			var copied int64
			copied, err = io.Copy(io.NewOffsetWriter(dst, start), io.NewSectionReader(src, start, min(end-start, copyStep)))
			n = int(copied)
		}
		if err != nil {
			return fmt.Errorf("copying: %w", err)
		}
		if n == 0 {
			return io.ErrUnexpectedEOF // the base was cut under our hands
		}
		start += int64(n)
	}
	return nil
}
