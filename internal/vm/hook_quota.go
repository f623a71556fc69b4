package vm

import (
	"context"
	"sync"

	"banger/internal/model"
	"banger/internal/rpc"
)

// Quota is what all VMs of a user may have together. Zero: no limit.
type Quota struct {
	MemoryMiB int   // of VMs that run
	DiskBytes int64 // of the root disks, as their guests see them
}

// quotaHook refuses a VM, or a start, that would be more than the quota.
func quotaHook(q Quota, store Store) Hook {
	h := &quotaKeeper{quota: q, store: store, reserved: map[string]int{}}
	return Hook{Name: "quota", Plan: h.plan, Prepare: h.prepare, Stop: h.stop}
}

// quotaKeeper remembers the starts that it has let through, so that two at
// once cannot both have the last of the memory.
type quotaKeeper struct {
	quota Quota
	store Store

	mu       sync.Mutex
	reserved map[string]int // MiB by VM id
}

func (h *quotaKeeper) plan(ctx context.Context, _ rpc.VMCreateParams, img model.Image, spec *model.VMSpec) error {
	if q := h.quota.MemoryMiB; q > 0 && spec.MemoryMiB > q {
		return model.Errorf(model.CodeLimit, "%d MiB of memory are more than all VMs may have together: %d MiB", spec.MemoryMiB, q).
			WithHint("give it less with --memory, or raise vm.memory: see `banger config show`")
	}
	if h.quota.DiskBytes == 0 {
		return nil
	}
	vms, err := h.store.VMs(ctx)
	if err != nil {
		return err
	}
	total := max(spec.DiskBytes, img.SizeBytes)
	for i := range vms {
		total += max(vms[i].Spec.DiskBytes, vms[i].RootBytes)
	}
	if total > h.quota.DiskBytes {
		return model.Errorf(model.CodeLimit, "with this one the root disks of all VMs would have %d MiB of the %d MiB that they may have", total>>20, h.quota.DiskBytes>>20).
			WithHint("delete a VM (banger rm), or raise vm.disk: see `banger config show`")
	}
	return nil
}

// prepare counts what runs and what was let through and is not seen to run yet.
func (h *quotaKeeper) prepare(ctx context.Context, vm model.VM) error {
	if h.quota.MemoryMiB == 0 {
		return nil
	}
	all, err := h.store.VMSummaries(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	total := vm.Spec.MemoryMiB
	for i := range all {
		other := &all[i]
		_, letThrough := h.reserved[other.ID]
		if other.ID != vm.ID && (letThrough || hasProcess(other.State)) {
			total += other.MemoryMiB
		}
	}
	if total > h.quota.MemoryMiB {
		return model.Errorf(model.CodeLimit, "with this one the VMs that run would have %d MiB of the %d MiB that they may have", total, h.quota.MemoryMiB).
			WithHint("stop a VM (banger ps, banger stop), or raise vm.memory: see `banger config show`")
	}
	h.reserved[vm.ID] = vm.Spec.MemoryMiB
	return nil
}

func (h *quotaKeeper) stop(_ context.Context, vm model.VM) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.reserved, vm.ID)
	return nil
}

// hasProcess tells whether a VM in that state uses its memory. One that starts
// does so only once it was let through.
func hasProcess(state model.VMState) bool {
	switch state {
	case model.VMRunning, model.VMPaused, model.VMStopping, model.VMUnknown:
		return true
	}
	return false
}
