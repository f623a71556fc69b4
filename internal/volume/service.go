package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/quota"
	"banger/internal/rpc"
)

var _ rpc.VolumeAPI = (*Service)(nil)

// Store keeps the rows of volumes.
type Store interface {
	InsertVolume(ctx context.Context, v model.Volume) error
	Volume(ctx context.Context, nameOrID string) (model.Volume, error)
	Volumes(ctx context.Context) ([]model.Volume, error)
	UpdateVolume(ctx context.Context, id string, change func(*model.Volume) error) (model.Volume, error)
	DeleteVolume(ctx context.Context, id string) error
}

// Config is what a Service is made of.
type Config struct {
	Dir        string // one directory per volume
	Store      Store
	Operations *operation.Service
	Disks      *quota.Disk // bounds what all disks may have; nil: nothing does
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Service keeps volumes.
type Service struct{ cfg Config }

// New makes a Service. Call Recover before the first request.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg}
}

// ListVolumes returns all volumes, the oldest first.
func (s *Service) ListVolumes(ctx context.Context) ([]model.Volume, error) {
	volumes, err := s.cfg.Store.Volumes(ctx)
	for i := range volumes {
		volumes[i].UsedBytes = usedBytes(volumes[i])
	}
	return volumes, err
}

// ShowVolume returns one volume.
func (s *Service) ShowVolume(ctx context.Context, p rpc.NameParams) (model.Volume, error) {
	v, err := s.find(ctx, p.Name)
	v.UsedBytes = usedBytes(v)
	return v, err
}

// find returns the volume of a name, id or unique prefix of an id. A name that
// does not exist is answered with the nearest ones.
func (s *Service) find(ctx context.Context, name string) (model.Volume, error) {
	v, err := s.cfg.Store.Volume(ctx, name)
	if model.CodeOf(err) != model.CodeNotFound {
		return v, err
	}
	missing := model.Errorf(model.CodeNotFound, "there is no volume %q", name)
	all, listErr := s.cfg.Store.Volumes(ctx)
	if listErr != nil {
		return v, missing
	}
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = v.Name
	}
	if near := model.Nearest(name, names); len(near) > 0 {
		return v, missing.WithHint("did you mean %s? `banger volume list` lists all", strings.Join(near, " or "))
	}
	return v, missing.WithHint("make it: banger volume create %s", name)
}

// lockNamed finds a volume and locks it; the row is read again under the lock.
func (s *Service) lockNamed(ctx context.Context, name string) (model.Volume, func(), error) {
	v, err := s.find(ctx, name)
	if err != nil {
		return v, nil, err
	}
	unlock, err := s.cfg.Operations.Lock(ctx, "volume/"+v.ID)
	if err != nil {
		return v, nil, err
	}
	v, err = s.cfg.Store.Volume(ctx, v.ID)
	if err != nil {
		unlock()
		return v, nil, err
	}
	return v, unlock, nil
}

// remove deletes a volume that no VM uses. It may be called again after a
// crash at any point.
func (s *Service) remove(ctx context.Context, v model.Volume) error {
	if err := os.RemoveAll(v.Dir); err != nil {
		return fmt.Errorf("removing the disk of volume %s: %w", v.Name, err)
	}
	return s.cfg.Store.DeleteVolume(ctx, v.ID)
}

func diskOf(v model.Volume) string { return filepath.Join(v.Dir, model.VolumeFile) }

// usedBytes is what a volume takes on the host's disk.
func usedBytes(v model.Volume) int64 {
	var st unix.Stat_t
	if err := unix.Stat(diskOf(v), &st); err != nil {
		return 0
	}
	return st.Blocks * 512
}

// Recover removes what an earlier daemon has begun to make or to delete.
func (s *Service) Recover(ctx context.Context) error {
	volumes, err := s.cfg.Store.Volumes(ctx)
	if err != nil {
		return fmt.Errorf("recovering volumes: %w", err)
	}
	for _, v := range volumes {
		if v.State != model.VolumeReady {
			if err := s.remove(ctx, v); err != nil {
				s.cfg.Log.Error("recovering a volume", "volume", v.Name, "err", err)
			}
			continue
		}
		if _, err := os.Stat(diskOf(v)); errors.Is(err, fs.ErrNotExist) {
			s.cfg.Log.Error("the disk of a volume is missing", "volume", v.Name, "path", diskOf(v))
		}
	}
	return nil
}
