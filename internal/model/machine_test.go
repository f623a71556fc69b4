package model_test

import (
	"testing"

	"banger/internal/model"
)

func TestKernelMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has  []string
		want model.MachineType
	}{
		{nil, model.MachineMicroVM}, // nothing is known
		{[]string{"virtio", "virtio-mmio"}, model.MachineMicroVM},
		{[]string{"virtio-mmio", "virtio-pci"}, model.MachineMicroVM},
		{[]string{"virtio", "virtio-pci"}, model.MachineQ35},
	} {
		if got := (model.Kernel{Has: c.has}).Machine(); got != c.want {
			t.Errorf("%q: got %s, want %s", c.has, got, c.want)
		}
	}
}
