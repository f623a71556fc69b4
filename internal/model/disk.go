package model

import "path/filepath"

// WorkDisk is a VM's second disk, mounted at its user's home: it stays when
// the root disk is made anew.
type WorkDisk struct {
	SizeBytes int64  `json:"size_bytes"`
	Path      string `json:"path" doc:"where the guest has it: the home of the image's user"`
}

// DiskBytes is the size of the VM's disks as its guest sees them.
func (vm *VM) DiskBytes() int64 {
	bytes := max(vm.Spec.DiskBytes, vm.RootBytes)
	if vm.Spec.Work != nil {
		bytes += vm.Spec.Work.SizeBytes
	}
	return bytes
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
