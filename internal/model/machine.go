package model

import "slices"

// MachineType is a machine of the hypervisor, in QEMU's words.
type MachineType string

// The machines. Firecracker has none to choose from.
const (
	MachineMicroVM MachineType = "microvm" // devices on virtio-mmio, no PCI: the fastest to boot
	MachineQ35     MachineType = "q35"     // devices on PCI: for kernels without virtio-mmio
)

// What a kernel has of the two transports of virtio, as Kernel.Has tells it.
const (
	HasVirtioMMIO = "virtio-mmio"
	HasVirtioPCI  = "virtio-pci"
)

// MicroVMCPUs is up to how many CPUs microvm is good for: with more, the tables
// that describe them need more than the one page of memory that QEMU's microvm
// leaves free behind the initial file system.
const MicroVMCPUs = 32

// Machine is the machine that the kernel is booted on with that many CPUs when
// none is asked for: microvm, unless the kernel is known to find its devices
// on PCI and they are too many for microvm or PCI is all that it knows.
func (k Kernel) Machine(cpus int) MachineType {
	mmio := slices.Contains(k.Has, HasVirtioMMIO) && cpus <= MicroVMCPUs
	if slices.Contains(k.Has, HasVirtioPCI) && !mmio {
		return MachineQ35
	}
	return MachineMicroVM
}
