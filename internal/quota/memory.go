package quota

import (
	"context"
	"sync"

	"banger/internal/model"
)

// Summaries lists the VMs there are.
type Summaries interface {
	VMSummaries(ctx context.Context) ([]model.VMSummary, error)
}

// Memory is the bound on what all VMs that run have together, those of builds
// and of kernels' tests among them. Its methods are safe for concurrent use, and a nil Memory bounds
// nothing.
type Memory struct {
	limit int // MiB
	vms   Summaries

	mu sync.Mutex
	// Starts that were let through, so that two at once cannot both have the
	// last of the memory: MiB by id.
	starts map[string]int
	builds map[string]int // VMs that no list has
}

// NewMemory returns a bound of so many MiB; 0: nil, no bound.
func NewMemory(limitMiB int, vms Summaries) *Memory {
	if limitMiB == 0 {
		return nil
	}
	return &Memory{limit: limitMiB, vms: vms, starts: map[string]int{}, builds: map[string]int{}}
}

// Check refuses a VM that could never start, for all that the bound is.
func (m *Memory) Check(mib int) error {
	if m == nil || mib <= m.limit {
		return nil
	}
	return model.Errorf(model.CodeLimit, "%d MiB of memory are more than all VMs may have together: %d MiB", mib, m.limit).
		WithHint("give it less with --memory, or raise vm.memory: see `banger config show`")
}

// Start lets a VM start, until End.
func (m *Memory) Start(ctx context.Context, id string, mib int) error {
	return m.admit(ctx, id, mib, func() { m.starts[id] = mib })
}

// Build lets the VM of a build or of a kernel's test start, which no list has,
// until End.
func (m *Memory) Build(ctx context.Context, id string, mib int) error {
	if err := m.Check(mib); err != nil {
		return err
	}
	return m.admit(ctx, id, mib, func() { m.builds[id] = mib })
}

// admit counts what runs and what was let through and is not seen to run yet.
func (m *Memory) admit(ctx context.Context, id string, mib int, keep func()) error {
	if m == nil {
		return nil
	}
	all, err := m.vms.VMSummaries(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	total := mib
	for i := range all {
		other := &all[i]
		_, letThrough := m.starts[other.ID]
		if other.ID != id && (letThrough || hasProcess(other.State)) {
			total += other.MemoryMiB
		}
	}
	for other, has := range m.builds {
		if other != id {
			total += has
		}
	}
	if total > m.limit {
		return model.Errorf(model.CodeLimit, "with this one the VMs that run would have %d MiB of the %d MiB that they may have, builds and tests of kernels among them", total, m.limit).
			WithHint("stop a VM (banger ps, banger stop), or raise vm.memory: see `banger config show`")
	}
	keep()
	return nil
}

// End gives back what Start or Build has let through.
func (m *Memory) End(id string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.starts, id)
	delete(m.builds, id)
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
