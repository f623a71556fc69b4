package buildvm

import (
	"path/filepath"

	"banger/internal/cgroup"
	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/wire"
)

// What a VM's process needs beyond its guest; see limitsHook of package vm.
const (
	overheadMiB   = 256
	translatedMiB = 1024 // with emulation
	ioMilliCPUs   = 1000
	threads       = 96
)

// vmID is what drivers and control groups call the VM of a build.
func vmID(generation string) string { return "build-" + generation }

// planMachine turns spec into what a driver needs. It is pure.
func planMachine(spec Spec, boot bootSet, generation, runDir string) vmm.Spec {
	return vmm.Spec{
		ID:         vmID(generation),
		Generation: generation,
		RunDir:     filepath.Join(runDir, generation),
		Machine:    boot.machine,
		Kernel:     boot.kernel,
		Initrd:     boot.initrd,
		CPUs:       spec.CPUs,
		MemoryMiB:  spec.MemoryMiB,
		Disks:      []vmm.Disk{{Path: spec.Rootfs, Format: vmm.Raw}},
		Network:    spec.Network,
		MAC:        mac,
		Console:    spec.Console,
	}
}

// mac is that of the one card of every build: locally administered, unicast
// (IEEE 802). Each VM has a network of its own.
const mac = "02:00:00:00:00:01"

// planGuest is what the guest is told about itself. Its name is one that is in
// every /etc/hosts, so that the build leaves no line there. It is pure, but for
// time and entropy, which are added at the last moment.
func planGuest(spec vmm.Spec) wire.Config {
	cfg := wire.Config{
		Hostname: "localhost",
		Root:     wire.RootFS{Device: "/dev/vda", FSType: "ext4", Grow: true},
	}
	if spec.Network == model.NetUser { // QEMU manual, "Network emulation"
		cfg.Network = &wire.Network{MAC: spec.MAC, Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"}}
	}
	return cfg
}

// planLimits decides what the VM's process may use of this host.
func planLimits(spec vmm.Spec, accel string) cgroup.Limits {
	mib := int64(spec.MemoryMiB) + overheadMiB
	if accel != "kvm" {
		mib += translatedMiB
	}
	return cgroup.Limits{
		MemoryBytes: mib << 20,
		MilliCPUs:   1000*spec.CPUs + ioMilliCPUs,
		Processes:   threads + spec.CPUs,
	}
}
