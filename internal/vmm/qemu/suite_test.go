package qemu_test

import (
	"path/filepath"
	"testing"

	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
	"banger/internal/vmm/vmmtest"
)

func TestSuite(t *testing.T) {
	kernel, initrd := bootFiles(t)
	cache := filepath.Join(t.TempDir(), "kvm.json")
	vmmtest.Run(t, vmmtest.Subject{
		Driver: func(*testing.T) vmm.Driver { return qemu.New(qemu.Config{ProbeCache: cache}) },
		Spec:   func(t *testing.T) vmm.Spec { return newSpec(t, kernel, initrd) },
	})
}
