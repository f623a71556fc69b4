package image

import (
	"context"

	"banger/internal/failpoint"
	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// PushImage writes an image to a registry.
//
//	step    what
//	parse   the reference is a tag
//	find    the image; it is not deleted meanwhile
//	layers  those that were pulled, when all are in the cache and the image is
//	        managed, so that its files are what they make; else one is made
//	send    layers, configuration, manifest: what the registry lacks
//	check   the tag points to what was sent
func (s *Service) PushImage(ctx context.Context, p rpc.ImagePushParams, report model.Report) (model.PushedImage, error) {
	tag, err := imagepush.ParseTarget(p.Ref)
	if err != nil {
		return model.PushedImage{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "image.push", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.PushedImage, error) {
			op.Stage("layers")
			row, img, err := s.ociImage(ctx, p.Name, op.Report)
			if err != nil {
				return model.PushedImage{}, err
			}
			defer img.Close()
			if err := failpoint.Hit(ctx, "image.push/loaded"); err != nil {
				return model.PushedImage{}, err
			}
			op.Stage("send")
			if err := s.cfg.Registry.Push(ctx, tag, img, op.Report); err != nil {
				return model.PushedImage{}, model.Errorf(model.CodeOf(err), "pushing image %q: %w", row.Name, err)
			}
			if err := failpoint.Hit(ctx, "image.push/sent"); err != nil {
				return model.PushedImage{}, err
			}
			pushed := model.PushedImage{Name: row.Name, Ref: tag.Context().Name() + "@" + img.Digest, Digest: img.Digest, Layers: img.Layers()}
			for i := range pushed.Layers {
				pushed.Layers[i].Original = img.Digest == row.Source.ManifestDigest
			}
			return pushed, nil
		})
}
