package qemu

import (
	"banger/internal/model"
)

// board is what the arguments depend on of the machine that QEMU makes.
type board struct {
	args   []string
	suffix string // of the names of virtio devices
	card   string // further properties of the network card
}

// boardOf returns the board of a machine, which must be valid. Both give
// guests virtio 1 and nothing older, a serial port, and no device that was not
// asked for.
func boardOf(machine model.MachineType) board {
	const common = ",dump-guest-core=off,mem-merge=off"
	if machine == model.MachineQ35 {
		return board{
			args:   []string{"-machine", "q35,sata=off,smbus=off,vmport=off" + common},
			suffix: "-pci-non-transitional",
			card:   ",romfile=", // nothing boots from the network
		}
	}
	return board{
		args:   []string{"-machine", "microvm" + common, "-global", "virtio-mmio.force-legacy=false"},
		suffix: "-device",
	}
}

// virtio is the name of a virtio device.
func (b board) virtio(kind string) string { return "virtio-" + kind + b.suffix }
