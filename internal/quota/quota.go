// Package quota bounds what the disks of all VMs, builds and volumes of a user,
// and the memory of all VMs that run, may have together.
package quota

import (
	"context"
	"sync"

	"banger/internal/model"
)

// Store has the rows of what has disks.
type Store interface {
	VMs(ctx context.Context) ([]model.VM, error)
	Volumes(ctx context.Context) ([]model.Volume, error)
}

// Disk is the bound, on sizes as guests see them: what is not written takes no
// space, but may be written any time. Its methods are safe for concurrent use,
// and a nil Disk bounds nothing.
type Disk struct {
	limit int64 // bytes
	store Store
	mu    sync.Mutex // from the look at what there is to the commit of more
	held  int64      // bytes of disks that no row knows
}

// NewDisk returns a bound of so many bytes; 0: nil, no bound.
func NewDisk(limitBytes int64, store Store) *Disk {
	if limitBytes == 0 {
		return nil
	}
	return &Disk{limit: limitBytes, store: store}
}

// Grow calls commit, which records more bytes of disks, if they fit below the
// bound; else it returns model.CodeLimit.
func (d *Disk) Grow(ctx context.Context, more int64, commit func() error) error {
	if d == nil || more <= 0 {
		return commit()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(ctx, more); err != nil {
		return err
	}
	return commit()
}

// Hold counts bytes of a disk that no row knows, that of a build, until letGo
// is called; else it returns model.CodeLimit.
func (d *Disk) Hold(ctx context.Context, bytes int64) (letGo func(), err error) {
	if d == nil {
		return func() {}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(ctx, bytes); err != nil {
		return nil, err
	}
	d.held += bytes
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.held -= bytes
	}), nil
}

// check refuses more than fits. d.mu is held.
func (d *Disk) check(ctx context.Context, more int64) error {
	have, err := d.total(ctx)
	if err != nil {
		return err
	}
	have += d.held
	if more > d.limit-have {
		return model.Errorf(model.CodeLimit, "the disks of all VMs, builds and volumes would have %d MiB of the %d MiB that they may have", (have+more)>>20, d.limit>>20).
			WithHint("delete a VM (banger rm) or a volume (banger volume delete), or raise vm.disk: see `banger config show`")
	}
	return nil
}

func (d *Disk) total(ctx context.Context) (bytes int64, err error) {
	vms, err := d.store.VMs(ctx)
	if err != nil {
		return 0, err
	}
	for i := range vms {
		bytes += vms[i].DiskBytes()
	}
	volumes, err := d.store.Volumes(ctx)
	for i := range volumes {
		bytes += volumes[i].SizeBytes
	}
	return bytes, err
}
