package vm

import (
	"errors"
	"io/fs"
	"os"

	"banger/internal/model"
	"banger/internal/vmm"
)

// disksThere refuses a start without a file that somebody has removed: a VMM
// says so too, in many words and without what mends it.
func disksThere(vm model.VM, disks []vmm.Disk) error {
	for _, d := range disks {
		for _, path := range []string{d.Path, d.Backing} {
			if path == "" {
				continue
			}
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return gone(vm, path)
			}
		}
	}
	return nil
}

func gone(vm model.VM, path string) error {
	if path == vm.RootPath() {
		return model.Errorf(model.CodeIntegrity, "the root disk of VM %s is gone: %s", vm.Name, path).
			WithHint("put the file back, or make a new disk of its image: banger reset %s", vm.Name)
	}
	return model.Errorf(model.CodeIntegrity, "a disk of VM %s is gone: %s", vm.Name, path).
		WithHint("put the file back; what else is missing: banger system check")
}
