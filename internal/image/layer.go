package image

import (
	"context"
	"slices"

	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
	"banger/internal/operation"
)

// layering makes the OCI image of a root filesystem that was another image's:
// that image with one more layer, in the cache.
type layering struct {
	service *Service
	op      *operation.Op
	base    model.Image
	step    imagepush.Step // how the layer was made
}

// enter makes the layer of what is in rootfs and not in the base, and writes
// it into the source and the history of img, which are those of the base.
func (l layering) enter(ctx context.Context, rootfs string, img *model.Image) error {
	below, err := l.service.ociOf(ctx, l.base, l.op.Report)
	if err != nil {
		return err
	}
	defer below.Close()
	made, err := l.append(ctx, below, rootfs)
	if err != nil {
		return err
	}
	source := &img.Source
	source.ManifestDigest, source.ConfigDigest = made.Digest, made.ConfigDigest()
	layers := made.Layers()
	for _, l := range layers {
		source.Layers = append(source.Layers, l.Digest)
	}
	if below.Digest != l.base.Source.ManifestDigest {
		source.History = []model.HistoryEntry{{CreatedBy: imagepush.Creator, Digest: layers[0].Digest, SizeBytes: layers[0].SizeBytes}}
	}
	last := layers[len(layers)-1]
	source.History = append(slices.Clip(source.History), model.HistoryEntry{
		CreatedBy: l.step.CreatedBy, Created: l.step.Created, Digest: last.Digest, SizeBytes: last.SizeBytes,
	})
	return made.Close()
}

// append adds the difference between the base and rootfs to an image.
func (l layering) append(ctx context.Context, below *imagepush.Image, rootfs string) (*imagepush.Image, error) {
	from, err := imagetree.Open(l.base.RootfsPath())
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, err := imagetree.Open(rootfs)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	return imagepush.Append(ctx, l.service.cfg.Cache, below, imagepush.Difference{From: from, To: to}, l.step, l.op.Report)
}
