package imagetree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"banger/internal/ext4"
	"banger/internal/model"
)

// Tree is a root filesystem that is being read.
type Tree struct {
	file *os.File
	fs   *ext4.FS
}

// Open opens the filesystem in the file at path. A VM may use the image: its
// disks are clones. Errors are of CodeNotFound, CodeIntegrity or
// CodeUnsupported.
func Open(path string) (*Tree, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, classed(fmt.Errorf("opening the root filesystem: %w", err))
	}
	t := &Tree{file: f}
	if t.fs, err = ext4.Open(f); err == nil && t.fs.Superblock().NeedsRecovery {
		err = model.Errorf(model.CodeUnsupported, "%s was not unmounted: its journal holds changes that are not read", path).
			WithHint("e2fsck -p %s", path)
	}
	if err != nil {
		return nil, classed(errors.Join(err, f.Close()))
	}
	return t, nil
}

// FS is the filesystem, until Close.
func (t *Tree) FS() *ext4.FS { return t.fs }

// Close closes the file.
func (t *Tree) Close() error { return t.file.Close() }

// same reports whether both read the same file: images that were built of the
// same content share it.
func (t *Tree) same(other *Tree) bool {
	a, errA := t.file.Stat()
	b, errB := other.file.Stat()
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// classed gives errors about what is read their code.
func classed(err error) error {
	var told *model.Error
	switch {
	case err == nil || errors.As(err, &told):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return model.Errorf(model.CodeNotFound, "%w", err)
	case errors.Is(err, fs.ErrInvalid):
		return model.Errorf(model.CodeInvalid, "%w", err)
	case errors.Is(err, ext4.ErrCorrupt):
		return model.Errorf(model.CodeIntegrity, "%w", err)
	case errors.Is(err, ext4.ErrUnsupported):
		return model.Errorf(model.CodeUnsupported, "%w", err)
	}
	return err
}
