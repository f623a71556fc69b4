package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultKeep is how many bytes of a console are worth keeping.
const DefaultKeep = 16 << 20

// granule is the least that is punched out at once: a multiple of all usual
// block sizes, so that calls that gain nothing cost nothing.
const granule = 64 << 10

// Trim frees the disk space of all but the last keep bytes of file, rounded
// up to 64 KiB. The file's size and the offsets in it stay as they are, so it
// may be appended to meanwhile. Trim must be called now and then: what is
// appended between two calls is the excess. It fails with errors.ErrUnsupported on
// filesystems without holes.
func Trim(file string, keep int64) error {
	f, err := os.OpenFile(file, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("trimming a console: %w", err)
	}
	defer f.Close()
	if err := punch(f, keep); err != nil {
		return fmt.Errorf("trimming %s: %w", file, err)
	}
	return nil
}

// keepCheck is how often KeepShort looks.
const keepCheck = 10 * time.Second

// KeepShort trims file to DefaultKeep now and then until ctx ends. It is best
// effort: a full disk is reported by what needs it.
func KeepShort(ctx context.Context, file string) {
	tick := time.NewTicker(keepCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = Trim(file, DefaultKeep)
		}
	}
}

func punch(f *os.File, keep int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := (info.Size() - keep) / granule * granule
	start, err := dataStart(f)
	if err != nil {
		return err
	}
	if end <= start {
		return nil
	}
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, end)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return errors.ErrUnsupported
	}
	return err
}

// dataStart returns the offset of the first byte that is not in a hole, the
// file's size when there is none.
func dataStart(f *os.File) (int64, error) {
	start, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return f.Seek(0, io.SeekEnd)
	}
	return start, err
}
