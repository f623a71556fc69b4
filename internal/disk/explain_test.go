package disk

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// TestFullDisk: the error has the code of a full disk and a hint, and no file
// is left.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := writeWhole(filepath.Join(dir, "disk"), func(f *os.File) error {
		return &os.PathError{Op: "write", Path: f.Name(), Err: unix.ENOSPC}
	})
	err = explain("cloning", "base", err)
	if model.CodeOf(err) != model.CodeNoSpace || model.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, model.HintOf(err))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
