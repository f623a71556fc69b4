package quota_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"banger/internal/model"
	"banger/internal/quota"
)

// rows are a store whose volumes are made by commits.
type rows struct {
	mu      sync.Mutex
	volumes []model.Volume
}

func (r *rows) VMs(context.Context) ([]model.VM, error) {
	return []model.VM{
		{RootBytes: 10, Spec: model.VMSpec{DiskBytes: 30, Work: &model.WorkDisk{SizeBytes: 5}}},
		{RootBytes: 15},
	}, nil
}

func (r *rows) Volumes(context.Context) ([]model.Volume, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]model.Volume(nil), r.volumes...), nil
}

func (r *rows) add(bytes int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.volumes = append(r.volumes, model.Volume{SizeBytes: bytes})
	return nil
}

// TestGrow: 50 bytes are there of 100; of many that want 10 at once five get
// them.
func TestGrow(t *testing.T) {
	t.Parallel()
	r := &rows{}
	d := quota.NewDisk(100, r)
	var refused atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			err := d.Grow(t.Context(), 10, func() error { return r.add(10) })
			if model.CodeOf(err) == model.CodeLimit && model.HintOf(err) != "" {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refused.Load() != 15 || len(r.volumes) != 5 {
		t.Errorf("%d refused, %d made", refused.Load(), len(r.volumes))
	}
	if err := d.Grow(t.Context(), 0, func() error { return nil }); err != nil {
		t.Errorf("growing by nothing: %v", err)
	}
	if err := d.Grow(t.Context(), 1<<62, func() error { return r.add(1) }); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("growing by very much: %v", err)
	}
}

func TestNoBound(t *testing.T) {
	t.Parallel()
	r := &rows{}
	if err := quota.NewDisk(0, r).Grow(t.Context(), 1<<60, func() error { return r.add(1) }); err != nil || len(r.volumes) != 1 {
		t.Errorf("%v, %d made", err, len(r.volumes))
	}
}
