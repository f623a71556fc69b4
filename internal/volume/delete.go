package volume

import (
	"context"
	"errors"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
)

// DeleteVolume removes a volume and what is on it.
//
//	1 guard   no VM uses it, running or not
//	2 intend  row, state deleting: no VM can take it any more, and from here
//	          Recover finishes the job
//	3 remove  the directory, then the row
func (s *Service) DeleteVolume(ctx context.Context, p rpc.NameParams) (model.Volume, error) {
	v, unlock, err := s.lockNamed(ctx, p.Name)
	if err != nil {
		return v, err
	}
	defer unlock()
	if !model.NamesExactly(p.Name, v.Name, v.ID) {
		return v, model.Errorf(model.CodeNotFound, "there is no volume %q", p.Name).
			WithHint("if you mean %s: what is deleted is named by the whole name or six characters of the id", v.Name)
	}
	if err := refuseUsed(v); err != nil { // 1
		return v, err
	}
	v.UsedBytes = usedBytes(v)
	if _, err := s.cfg.Store.UpdateVolume(ctx, v.ID, func(v *model.Volume) error { // 2
		v.State = model.VolumeDeleting
		return nil
	}); err != nil {
		return v, err
	}
	// A VM may have been made of it since; from now on none can be.
	now, err := s.cfg.Store.Volume(ctx, v.ID)
	if err == nil {
		err = refuseUsed(now)
	}
	if err != nil {
		return v, errors.Join(err, s.reinstate(ctx, v))
	}
	if err := failpoint.Hit(ctx, "volume.delete/intended"); err != nil {
		return v, err
	}
	return v, s.remove(ctx, v) // 3
}

// reinstate makes a volume that was not deleted after all usable again.
func (s *Service) reinstate(ctx context.Context, v model.Volume) error {
	_, err := s.cfg.Store.UpdateVolume(context.WithoutCancel(ctx), v.ID, func(v *model.Volume) error {
		v.State = model.VolumeReady
		return nil
	})
	return err
}

func refuseUsed(v model.Volume) error {
	if len(v.Users) == 0 {
		return nil
	}
	var names []string
	for _, u := range v.Users {
		names = append(names, u.VM)
	}
	return model.Errorf(model.CodeConflict, "volume %s is used by VMs: %s", v.Name, strings.Join(names, ", ")).
		WithHint("delete them first: banger rm %s", strings.Join(names, " "))
}

// PruneVolumes deletes the volumes that no VM uses, unless DryRun is set, and
// returns them.
func (s *Service) PruneVolumes(ctx context.Context, p rpc.VolumePruneParams) ([]model.Volume, error) {
	all, err := s.cfg.Store.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	pruned := []model.Volume{}
	var failed []error
	for _, v := range all {
		if len(v.Users) > 0 || v.State != model.VolumeReady {
			continue
		}
		if p.DryRun {
			v.UsedBytes = usedBytes(v)
			pruned = append(pruned, v)
			continue
		}
		gone, err := s.DeleteVolume(ctx, rpc.NameParams{Name: v.ID})
		switch model.CodeOf(err) {
		case "":
			pruned = append(pruned, gone)
		case model.CodeConflict, model.CodeNotFound: // taken or deleted meanwhile
		default:
			failed = append(failed, err)
		}
	}
	return pruned, errors.Join(failed...)
}
