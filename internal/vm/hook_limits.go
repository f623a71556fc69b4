package vm

import (
	"context"
	"fmt"

	"banger/internal/cgroup"
	"banger/internal/model"
)

// What a VM's process needs beyond its guest.
const (
	// overheadMiB is a VMM's own memory, and that of the host's page tables
	// and network buffers that are counted to it.
	overheadMiB = 256
	// translatedMiB is more for emulation: what QEMU translates a guest's code
	// to (tb-size, 1 GiB by default).
	translatedMiB = 1024
	// ioMilliCPUs is for the threads that serve the guest's devices.
	ioMilliCPUs = 1000
	// threads are a VMM's besides one for each of the guest's processors; disk
	// requests are served by up to 64.
	threads = 96
)

// limitsHook bounds what the process of a VM may use of this host, whatever
// its guest makes of it.
func limitsHook(groups *cgroup.Manager) Hook {
	return Hook{
		Name: "limits",
		Configure: func(vm model.VM, plan *Plan) error {
			plan.Machine.Cgroups = groups.Dirs(vm.ID)
			return nil
		},
		Prepare: func(ctx context.Context, vm model.VM) error {
			return groups.Make(ctx, vm.ID, planLimits(vm))
		},
		Stop: func(ctx context.Context, vm model.VM) error {
			return groups.Remove(ctx, vm.ID)
		},
		Delete: func(ctx context.Context, vm model.VM) error {
			return groups.Remove(ctx, vm.ID)
		},
		Doctor: func(context.Context) []model.Check {
			return []model.Check{checkLimits(groups)}
		},
	}
}

// planLimits decides what the VM's process may use.
func planLimits(vm model.VM) cgroup.Limits {
	mib := int64(vm.Spec.MemoryMiB) + overheadMiB
	if vm.Runtime.Accel != "kvm" {
		mib += translatedMiB
	}
	return cgroup.Limits{
		MemoryBytes: mib << 20,
		MilliCPUs:   1000*vm.Spec.CPUs + ioMilliCPUs,
		Processes:   threads + vm.Spec.CPUs,
	}
}

// limitsText is what show says of it.
func limitsText(groups *cgroup.Manager, l cgroup.Limits) string {
	if groups == nil {
		return ""
	}
	if groups.Version() == 0 {
		return "none: " + groups.Why()
	}
	text := fmt.Sprintf("cgroup v%d: memory %d MiB, processors %.1f, threads %d",
		groups.Version(), l.MemoryBytes>>20, float64(l.MilliCPUs)/1000, l.Processes)
	if why := groups.Why(); why != "" {
		text += "; " + why
	}
	return text
}

func checkLimits(groups *cgroup.Manager) model.Check {
	check := model.Check{Name: "limits of VM processes", Level: model.CheckOK, Message: fmt.Sprintf("control groups of version %d", groups.Version())}
	if why := groups.Why(); why != "" {
		check.Level, check.Message = model.CheckWarn, "VMs run without all limits: "+why
		check.Hint = "run bangerd as a service of systemd with Delegate=yes"
	}
	return check
}
