//go:build !linux

package ext4

import "errors"

// punchHole makes n bytes of f a hole, if f is able to.
func punchHole(f File, offset, n int64) error {
	if f, ok := f.(interface{ PunchHole(offset, n int64) error }); ok {
		return f.PunchHole(offset, n)
	}
	return errors.ErrUnsupported
}
