package kvm

import (
	"testing"
	"unsafe"
)

// TestStructSizes holds the structs to the sizes in the request numbers.
func TestStructSizes(t *testing.T) {
	t.Parallel()
	size := func(req uintptr) uintptr { return req >> 16 & 0x3fff }
	for name, c := range map[string]struct{ got, want uintptr }{
		"kvm_userspace_memory_region": {unsafe.Sizeof(memoryRegion{}), size(kvmSetUserMemoryRegion)},
		"kvm_sregs":                   {unsafe.Sizeof(systemRegs{}), size(kvmSetSregs)},
		"kvm_regs":                    {unsafe.Sizeof(generalRegs{}), size(kvmSetRegs)},
		"kvm_segment":                 {unsafe.Sizeof(segment{}), 24},
		"kvm_cpuid2":                  {unsafe.Sizeof(cpuidTable{}), size(kvmSetCPUID2) + maxCPUID*40},
	} {
		if c.got != c.want {
			t.Errorf("struct %s has %d bytes, want %d", name, c.got, c.want)
		}
	}
}
