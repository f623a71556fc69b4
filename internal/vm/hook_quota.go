package vm

import (
	"context"
	"sync"

	"banger/internal/model"
	"banger/internal/rpc"
)

// quotaHook refuses a VM, or a start, with more memory than all VMs that run
// may have together: limit MiB; 0: there is none.
func quotaHook(limit int, store Store) Hook {
	h := &quotaKeeper{limit: limit, store: store, reserved: map[string]int{}}
	return Hook{Name: "quota", Plan: h.plan, Prepare: h.prepare, Stop: h.stop}
}

// quotaKeeper remembers the starts that it has let through, so that two at
// once cannot both have the last of the memory.
type quotaKeeper struct {
	limit int // MiB
	store Store

	mu       sync.Mutex
	reserved map[string]int // MiB by VM id
}

func (h *quotaKeeper) plan(_ context.Context, _ rpc.VMCreateParams, _ model.Image, spec *model.VMSpec) error {
	return checkMemory(spec.MemoryMiB, h.limit)
}

// checkMemory refuses a VM that could never start, for all that its quota is.
func checkMemory(mib, limit int) error {
	if limit == 0 || mib <= limit {
		return nil
	}
	return model.Errorf(model.CodeLimit, "%d MiB of memory are more than all VMs may have together: %d MiB", mib, limit).
		WithHint("give it less with --memory, or raise vm.memory: see `banger config show`")
}

// prepare counts what runs and what was let through and is not seen to run yet.
func (h *quotaKeeper) prepare(ctx context.Context, vm model.VM) error {
	if h.limit == 0 {
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
	if total > h.limit {
		return model.Errorf(model.CodeLimit, "with this one the VMs that run would have %d MiB of the %d MiB that they may have", total, h.limit).
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
