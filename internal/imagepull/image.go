package imagepull

import (
	"context"
	"io"
	"time"

	"banger/internal/model"
)

// Image is a resolved image: its manifest and configuration have been
// checked, its layers not been read.
type Image struct {
	// Key is the same for the same content: the manifest's digest, or what
	// the image will be made from.
	Key     string
	Source  model.ImageSource
	Config  model.ImageConfig
	Created time.Time

	layers []layer
	kept   archiveSource // holds the layers; nil when nothing has to be closed
}

// Close gives up what an image that came as a stream is kept in. After it the
// image cannot be built.
func (img *Image) Close() error {
	if img.kept == nil {
		return nil
	}
	return img.kept.close()
}

// layer is an archive that can be opened. Only one of open's results is used
// at a time.
type layer struct {
	digest Digest // of the blob, "" when not known before it is read
	diffID Digest // of the archive, "" when nothing is promised
	size   int64  // of the blob, 0 when not known
	live   bool   // the blob is made while it is read
	expect int64  // bytes that its files may have, 0 when not known: a guess

	// open returns the blob: verified, or of a source that is trusted, or
	// still on its way, as an *incoming.
	open func(ctx context.Context, report model.Report) (io.ReadCloser, error)

	// damaged, when set, is called after the blob turned out to be broken and
	// tells whether a copy of ours was at fault, which then is gone.
	damaged func(ctx context.Context) bool
}

// newImage returns the image that a manifest describes; open makes the layer
// of a descriptor.
func newImage(kind string, c *chosen, open func(descriptor) layer) *Image {
	img := &Image{
		Key:     string(c.digest),
		Config:  c.config.image(),
		Created: c.config.created(),
		Source: model.ImageSource{
			Kind:           kind,
			ManifestDigest: string(c.digest),
			ConfigDigest:   string(c.manifest.Config.Digest),
			Platform:       c.config.Platform.String(),
		},
	}
	for i, d := range c.manifest.Layers {
		l := open(d)
		l.digest, l.diffID, l.size = d.Digest, Digest(c.config.RootFS.DiffIDs[i]), d.Size
		l.expect = d.contents()
		img.layers = append(img.layers, l)
		img.Source.Layers = append(img.Source.Layers, string(d.Digest))
	}
	img.Source.History = c.config.history(img.layers)
	return img
}
