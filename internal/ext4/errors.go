package ext4

import (
	"errors"
	"fmt"
)

// ErrCorrupt is in the chain of every error that the reader returns because the image, and not the
// machine, is at fault.
var ErrCorrupt = errors.New("not a sound ext4 filesystem")

// ErrUnsupported is in the chain of errors about valid features that the reader does not know.
var ErrUnsupported = errors.New("unsupported ext4 feature")

// SizeError says that the tree does not fit in the wanted size.
type SizeError struct {
	Have int64 // bytes wanted
	Need int64 // the smallest size, in bytes, that holds the tree
}

func (e *SizeError) Error() string {
	if most := max(e.Need, e.Have); most > MaxBytes {
		return fmt.Sprintf("a filesystem of %d bytes is wanted, the largest has %d", most, int64(MaxBytes))
	}
	return fmt.Sprintf("the content needs a filesystem of %d bytes, %d are given", e.Need, e.Have)
}

// NodeError says which node of a tree cannot be written, and why. Path comes from the tree: print it quoted.
type NodeError struct {
	Path   string
	Reason string
}

func (e *NodeError) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.Reason) }
