package imagepush

import (
	"encoding/json"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/model"
)

// Blobs keeps content by its digest; imagepull.Cache does.
type Blobs interface {
	// OpenBlob opens a blob, which stays until it is closed, and returns its
	// size; model.CodeNotFound when it is not here.
	OpenBlob(digest string) (io.ReadCloser, int64, error)
	// ReadBlob returns a small blob that is here and intact, else nil.
	ReadBlob(digest string, most int64) []byte
	PutBlob(b []byte) (digest string, err error)
	WriteBlob(write func(io.Writer) error) (digest string, size int64, err error)
}

// Bounds of documents, in bytes.
const (
	maxManifest = 4 << 20
	maxConfig   = 8 << 20
)

// Image is an OCI image whose blobs are all here. It is to be closed.
type Image struct {
	Digest string // of the manifest

	blobs    Blobs
	manifest v1.Manifest
	raw      []byte // the manifest as it is sent
	config   []byte
	held     []io.Closer // layers, which are not pruned meanwhile
}

// Load returns the image of a manifest that is among blobs with all that it
// names; nil when anything is missing.
func Load(blobs Blobs, digest string) (*Image, error) {
	img := &Image{Digest: digest, blobs: blobs}
	if digest == "" {
		return nil, nil
	}
	if img.raw = blobs.ReadBlob(digest, maxManifest); img.raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(img.raw, &img.manifest); err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "decoding manifest %s: %w", digest, err)
	}
	if img.config = blobs.ReadBlob(img.manifest.Config.Digest.String(), maxConfig); img.config == nil {
		return nil, nil
	}
	whole, err := img.hold()
	if err != nil || !whole {
		return nil, errors.Join(err, img.Close())
	}
	return img, nil
}

// hold opens all layers and tells whether they are here in their sizes.
func (img *Image) hold() (bool, error) {
	for _, l := range img.manifest.Layers {
		f, size, err := img.blobs.OpenBlob(l.Digest.String())
		if model.CodeOf(err) == model.CodeNotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		img.held = append(img.held, f)
		if size != l.Size {
			return false, nil
		}
	}
	return true, nil
}

// Close lets go of the layers.
func (img *Image) Close() error {
	var err error
	for _, f := range img.held {
		err = errors.Join(err, f.Close())
	}
	img.held = nil
	return err
}

// ConfigDigest is the digest of the configuration.
func (img *Image) ConfigDigest() string { return img.manifest.Config.Digest.String() }

// Layers returns the digests and sizes of the layers, lowest first.
func (img *Image) Layers() []model.PushedLayer {
	layers := make([]model.PushedLayer, len(img.manifest.Layers))
	for i, l := range img.manifest.Layers {
		layers[i] = model.PushedLayer{Digest: l.Digest.String(), SizeBytes: l.Size}
	}
	return layers
}

// image is img for the library that talks to registries; it implements
// partial.CompressedImageCore.
type image struct{ *Image }

func (i image) RawManifest() ([]byte, error)   { return i.raw, nil }
func (i image) RawConfigFile() ([]byte, error) { return i.config, nil }
func (i image) MediaType() (types.MediaType, error) {
	if i.manifest.MediaType == "" {
		return types.OCIManifestSchema1, nil
	}
	return i.manifest.MediaType, nil
}

// LayerByDigest finds a layer, or the configuration.
func (i image) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range append(i.manifest.Layers[:len(i.manifest.Layers):len(i.manifest.Layers)], i.manifest.Config) {
		if d.Digest == h {
			return blob{d, i.blobs}, nil
		}
	}
	return nil, model.Errorf(model.CodeInternal, "the manifest has no layer %s", h)
}

// blob is a layer; it implements partial.CompressedLayer.
type blob struct {
	d     v1.Descriptor
	blobs Blobs
}

func (b blob) Digest() (v1.Hash, error)            { return b.d.Digest, nil }
func (b blob) Size() (int64, error)                { return b.d.Size, nil }
func (b blob) MediaType() (types.MediaType, error) { return b.d.MediaType, nil }
func (b blob) Compressed() (io.ReadCloser, error) {
	r, _, err := b.blobs.OpenBlob(b.d.Digest.String())
	return r, err
}
