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
	DiskBytes int64 // of root disks, work disks and volumes, as guests see them
}

// quotaHook refuses a VM, or a start, that would be more than the quota.
func quotaHook(h *quotaKeeper) Hook {
	return Hook{Name: "quota", Plan: h.plan, Prepare: h.prepare, Stop: h.stop}
}

func newQuotaKeeper(cfg Config) *quotaKeeper {
	return &quotaKeeper{quota: cfg.Quota, store: cfg.Store, volumes: cfg.Volumes, reserved: map[string]int{}}
}

// quotaKeeper remembers the starts that it has let through, so that two at
// once cannot both have the last of the memory.
type quotaKeeper struct {
	quota   Quota
	store   Store
	volumes Volumes // may be nil

	mu       sync.Mutex
	reserved map[string]int // MiB by VM id
}

func (h *quotaKeeper) plan(ctx context.Context, _ rpc.VMCreateParams, img model.Image, spec *model.VMSpec) error {
	if err := h.checkMemory(spec.MemoryMiB); err != nil {
		return err
	}
	return h.checkDisks(ctx, disksOf(*spec, img.SizeBytes))
}

// change checks a VM that was, as it shall be. What gets no larger is not
// refused.
func (h *quotaKeeper) change(ctx context.Context, was, shall model.VM) error {
	if shall.Spec.MemoryMiB > was.Spec.MemoryMiB {
		if err := h.checkMemory(shall.Spec.MemoryMiB); err != nil {
			return err
		}
	}
	return h.checkDisks(ctx, disksOf(shall.Spec, shall.RootBytes)-disksOf(was.Spec, was.RootBytes))
}

func (h *quotaKeeper) checkMemory(mib int) error {
	if q := h.quota.MemoryMiB; q > 0 && mib > q {
		return model.Errorf(model.CodeLimit, "%d MiB of memory are more than all VMs may have together: %d MiB", mib, q).
			WithHint("give it less with --memory, or raise vm.memory: see `banger config show`")
	}
	return nil
}

// checkDisks refuses so many more bytes of disks than there are.
func (h *quotaKeeper) checkDisks(ctx context.Context, more int64) error {
	if h.quota.DiskBytes == 0 || more <= 0 {
		return nil
	}
	total, err := h.disks(ctx)
	if err != nil {
		return err
	}
	if total += more; total > h.quota.DiskBytes {
		return model.Errorf(model.CodeLimit, "all disks and volumes of VMs would then have %d MiB of the %d MiB that they may have", total>>20, h.quota.DiskBytes>>20).
			WithHint("delete a VM (banger rm) or a volume, or raise vm.disk: see `banger config show`")
	}
	return nil
}

// disks counts what there is, in bytes as guests see it.
func (h *quotaKeeper) disks(ctx context.Context) (total int64, err error) {
	vms, err := h.store.VMs(ctx)
	if err != nil {
		return 0, err
	}
	for i := range vms {
		total += disksOf(vms[i].Spec, vms[i].RootBytes)
	}
	if h.volumes == nil {
		return total, nil
	}
	volumes, err := h.volumes.Volumes(ctx)
	for i := range volumes {
		total += volumes[i].SizeBytes
	}
	return total, err
}

// disksOf is how large the disks of a VM's own are.
func disksOf(spec model.VMSpec, rootBytes int64) int64 {
	total := max(spec.DiskBytes, rootBytes)
	if spec.Work != nil {
		total += spec.Work.SizeBytes
	}
	return total
}

// CheckDisks refuses so many more bytes of disks than the quota of all VMs
// and volumes lets be.
func (s *Service) CheckDisks(ctx context.Context, more int64) error {
	return s.quota.checkDisks(ctx, more)
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
