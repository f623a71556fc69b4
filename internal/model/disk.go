package model

import "path/filepath"

// WorkDisk is a VM's second disk, mounted at its user's home: it stays when
// the root disk is made anew.
type WorkDisk struct {
	SizeBytes int64  `json:"size_bytes"`
	Path      string `json:"path" doc:"where the guest has it: the home of the image's user"`
}

// WorkFile is the work disk in a VM's directory.
const WorkFile = "work.ext4"

// RootPath is the file of the VM's root disk.
func (vm *VM) RootPath() string {
	switch {
	case vm.RootFile != "":
		return filepath.Join(vm.Dir, vm.RootFile)
	case vm.RootClone == "overlay":
		return filepath.Join(vm.Dir, RootQcowFile)
	}
	return filepath.Join(vm.Dir, RootRawFile)
}
