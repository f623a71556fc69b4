package ext4

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// punchHole makes n bytes of f a hole, if f is able to.
func punchHole(f File, offset, n int64) error {
	switch f := f.(type) {
	case interface{ PunchHole(offset, n int64) error }:
		return f.PunchHole(offset, n)
	case *os.File:
		return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, n)
	}
	return errors.ErrUnsupported
}
