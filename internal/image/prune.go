package image

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// PruneImages deletes the managed images that no VM uses, by name. One that a
// VM is made of in the meantime stays. When one cannot be deleted, those that
// were are returned beside the error.
func (s *Service) PruneImages(ctx context.Context, p rpc.ImagePruneParams) ([]model.Image, error) {
	images, err := s.ListImages(ctx)
	if err != nil {
		return nil, err
	}
	pruned := []model.Image{}
	for _, img := range images {
		if !img.Managed {
			continue
		}
		users, err := s.cfg.Users(ctx, img.ID)
		if err != nil {
			return pruned, model.Errorf(model.CodeOf(err), "looking for VMs of image %q: %w", img.Name, err)
		}
		if len(users) > 0 {
			continue
		}
		if !p.DryRun {
			_, err = s.DeleteImage(ctx, rpc.NameParams{Name: img.ID})
		}
		switch model.CodeOf(err) {
		case "":
			pruned = append(pruned, img)
		case model.CodeConflict, model.CodeNotFound: // used or gone meanwhile
		default:
			return pruned, err
		}
	}
	return pruned, nil
}
