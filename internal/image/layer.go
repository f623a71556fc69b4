package image

import (
	"context"

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
// it into the source and the history of img, which are those of the base. When
// the base's layers are no longer in the cache the image has one layer of all
// files.
func (l layering) enter(ctx context.Context, rootfs string, img *model.Image) error {
	to, err := imagetree.Open(rootfs)
	if err != nil {
		return err
	}
	defer to.Close()
	made, err := l.append(ctx, to)
	if err != nil {
		return err
	}
	source := &img.Source
	if made == nil {
		l.op.Report(model.Progress{Note: "not all layers of image " + l.base.Name + " are in the cache: making one of all files"})
		made, err = imagepush.FromTree(ctx, l.service.cfg.Cache, to, l.base.Config, l.base.Source.Platform, l.op.Report)
		if err != nil {
			return err
		}
		source.History = nil
	}
	source.ManifestDigest, source.ConfigDigest = made.Digest, made.ConfigDigest()
	layers := made.Layers()
	for _, l := range layers {
		source.Layers = append(source.Layers, l.Digest)
	}
	last := layers[len(layers)-1]
	source.History = append(source.History[:len(source.History):len(source.History)], model.HistoryEntry{
		CreatedBy: l.step.CreatedBy, Created: l.step.Created, Digest: last.Digest, SizeBytes: last.SizeBytes,
	})
	return made.Close()
}

// append adds the difference to the image that the base was made of; nil when
// the cache does not have that any more.
func (l layering) append(ctx context.Context, to *imagetree.Tree) (*imagepush.Image, error) {
	if !l.base.Managed {
		return nil, nil
	}
	below, err := imagepush.Load(l.service.cfg.Cache, l.base.Source.ManifestDigest)
	if below == nil || err != nil {
		return nil, err
	}
	defer below.Close()
	from, err := imagetree.Open(l.base.RootfsPath())
	if err != nil {
		return nil, err
	}
	defer from.Close()
	return imagepush.Append(ctx, l.service.cfg.Cache, below, from, to, l.step, l.op.Report)
}
