package model_test

import (
	"testing"

	"banger/internal/model"
)

func TestKernelMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has  []string
		cpus int
		want model.MachineType
	}{
		{nil, 1, model.MachineMicroVM}, // nothing is known
		{[]string{"virtio", "virtio-mmio"}, 1, model.MachineMicroVM},
		{[]string{"virtio-mmio", "virtio-pci"}, model.MicroVMCPUs, model.MachineMicroVM},
		{[]string{"virtio-mmio", "virtio-pci"}, model.MicroVMCPUs + 1, model.MachineQ35},
		{[]string{"virtio", "virtio-mmio"}, model.MicroVMCPUs + 1, model.MachineMicroVM},
		{[]string{"virtio", "virtio-pci"}, 1, model.MachineQ35},
	} {
		if got := (model.Kernel{Has: c.has}).Machine(c.cpus); got != c.want {
			t.Errorf("%q: got %s, want %s", c.has, got, c.want)
		}
	}
}
