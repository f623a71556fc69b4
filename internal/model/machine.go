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

// Machine is the machine that the kernel is booted on when none is asked for:
// microvm, unless the kernel is known to find its devices on PCI alone.
func (k Kernel) Machine() MachineType {
	if slices.Contains(k.Has, HasVirtioPCI) && !slices.Contains(k.Has, HasVirtioMMIO) {
		return MachineQ35
	}
	return MachineMicroVM
}
