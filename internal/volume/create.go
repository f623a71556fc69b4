package volume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/disk"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
)

// DefaultSize is a volume's size in bytes when none is given. Only what is
// written takes space.
const DefaultSize = 10 << 30

// CreateVolume makes an empty volume.
//
//	1 guard   name and size                              nothing on disk
//	2 intend  row, state creating: the name is taken     row
//	3 disk    an empty filesystem                        volumes/<id>/disk.ext4
//	4 ready   row, state ready
//
// A failure undoes 2 and 3; Recover does for a daemon that was killed.
func (s *Service) CreateVolume(ctx context.Context, p rpc.VolumeCreateParams) (model.Volume, error) {
	if err := model.ValidateObjectName("volume", p.Name); err != nil { // 1
		return model.Volume{}, err
	}
	size := p.SizeBytes
	if size == 0 {
		size = DefaultSize
	}
	if err := disk.CheckSize("a volume", size); err != nil {
		return model.Volume{}, err
	}
	id := model.NewID()
	unlock, err := s.cfg.Operations.Lock(ctx, "volume/"+id)
	if err != nil {
		return model.Volume{}, err
	}
	defer unlock()
	v := model.Volume{
		ID: id, Name: p.Name, State: model.VolumeCreating, SizeBytes: size, Users: []model.VolumeUser{},
		Dir: filepath.Join(s.cfg.Dir, id), CreatedAt: s.cfg.Now(),
	}
	err = s.cfg.Disks.Grow(ctx, size, func() error { return s.cfg.Store.InsertVolume(ctx, v) }) // 2
	if err != nil {
		return v, err
	}
	if err := s.fill(ctx, v); err != nil { // 3, 4
		return v, errors.Join(fmt.Errorf("creating volume %s: %w", v.Name, err), s.remove(context.WithoutCancel(ctx), v))
	}
	return s.ShowVolume(ctx, rpc.NameParams{Name: id})
}

func (s *Service) fill(ctx context.Context, v model.Volume) error {
	if err := failpoint.Hit(ctx, "volume.create/intended"); err != nil {
		return err
	}
	if err := os.MkdirAll(v.Dir, 0o700); err != nil {
		return err
	}
	label := v.Name[:min(len(v.Name), 16)]
	if err := disk.MakeExt4(ctx, diskOf(v), disk.Ext4Options{SizeBytes: v.SizeBytes, Label: label}); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, "volume.create/made"); err != nil {
		return err
	}
	_, err := s.cfg.Store.UpdateVolume(ctx, v.ID, func(v *model.Volume) error {
		v.State = model.VolumeReady
		return nil
	})
	return err
}
