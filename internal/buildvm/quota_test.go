package buildvm_test

import (
	"context"
	"strings"
	"testing"

	"banger/internal/buildvm"
	"banger/internal/model"
	"banger/internal/quota"
)

// rows is a host with one VM that runs and one that does not.
type rows struct{}

func (rows) VMSummaries(context.Context) ([]model.VMSummary, error) {
	return []model.VMSummary{{ID: "1", State: model.VMRunning, MemoryMiB: 500}, {ID: "2", State: model.VMStopped, MemoryMiB: 5000}}, nil
}
func (rows) VMs(context.Context) ([]model.VM, error)         { return []model.VM{{RootBytes: 100}}, nil }
func (rows) Volumes(context.Context) ([]model.Volume, error) { return nil, nil }

// TestQuota: a build has a place beside the VM that runs, and none beside
// another build.
func TestQuota(t *testing.T) {
	t.Parallel()
	for what, limits := range map[string]struct {
		memoryMiB int
		diskBytes int64
	}{
		"memory": {memoryMiB: 1000, diskBytes: 1000},
		"disks":  {memoryMiB: 5000, diskBytes: 101},
	} {
		r := newRig(t)
		r.cfg.Memory, r.cfg.Disks = quota.NewMemory(limits.memoryMiB, rows{}), quota.NewDisk(limits.diskBytes, rows{})
		r.Service = buildvm.New(r.cfg)
		r.spec.MemoryMiB = 400
		nothing := func(context.Context, *buildvm.Guest) error { return nil }
		inner := r.With(t.Context(), r.spec, model.Discard, func(ctx context.Context, _ *buildvm.Guest) error {
			err := r.With(ctx, r.spec, model.Discard, nothing)
			if model.CodeOf(err) != model.CodeLimit || model.HintOf(err) == "" || !strings.Contains(err.Error(), what) && !strings.Contains(err.Error(), "VMs that run") {
				t.Errorf("%s: the second build: %v", what, err)
			}
			return nil
		})
		if inner != nil {
			t.Errorf("%s: the first build: %v", what, inner)
		}
		if err := r.With(t.Context(), r.spec, model.Discard, nothing); err != nil {
			t.Errorf("%s: after it: %v", what, err)
		}
		r.spec.MemoryMiB = 1 << 20
		if err := r.With(t.Context(), r.spec, model.Discard, nothing); model.CodeOf(err) != model.CodeLimit {
			t.Errorf("%s: more than there ever is: %v", what, err)
		}
		r.wantNothing(t, what)
	}
}
