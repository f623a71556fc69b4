package volume

import (
	"context"
	"strings"

	"banger/internal/disk"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

// ResizeVolume makes a volume larger.
//
//	1 guard  nothing shrinks, and no VM runs with it
//	2 disk   the file; the guest that writes next lets the filesystem fill it
//	3 row
func (s *Service) ResizeVolume(ctx context.Context, p rpc.VolumeResizeParams) (model.Volume, error) {
	v, unlock, err := s.lockNamed(ctx, p.Name)
	if err != nil {
		return v, err
	}
	defer unlock()
	if err := disk.CheckSize("a volume", p.SizeBytes); err != nil { // 1
		return v, err
	}
	if holders := holdersOf(v); len(holders) > 0 {
		return v, model.Errorf(model.CodeConflict, "volume %s is in use by VM %s", v.Name, strings.Join(holders, ", ")).
			WithHint("stop it first: banger stop %s", strings.Join(holders, " "))
	}
	if p.SizeBytes < v.SizeBytes {
		return v, model.Errorf(model.CodeInvalid, "volume %s has %d bytes and cannot shrink to %d", v.Name, v.SizeBytes, p.SizeBytes).
			WithHint("volumes only grow; for a smaller one make another")
	}
	err = s.cfg.Disks.Grow(ctx, p.SizeBytes-v.SizeBytes, func() error { return s.grow(ctx, v, p.SizeBytes) })
	if err != nil {
		return v, err
	}
	return s.ShowVolume(ctx, rpc.NameParams{Name: v.ID})
}

func (s *Service) grow(ctx context.Context, v model.Volume, size int64) error {
	if err := disk.Grow(diskOf(v), vmm.Raw, size); err != nil { // 2
		return err
	}
	if err := failpoint.Hit(ctx, "volume.resize/grown"); err != nil {
		return err
	}
	_, err := s.cfg.Store.UpdateVolume(ctx, v.ID, func(v *model.Volume) error { // 3
		v.SizeBytes = size
		return nil
	})
	return err
}

func holdersOf(v model.Volume) []string {
	var names []string
	for _, u := range v.Users {
		if u.Held {
			names = append(names, u.VM)
		}
	}
	return names
}
