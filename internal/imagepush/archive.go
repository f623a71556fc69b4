package imagepush

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/model"
)

// WriteOCIArchive writes an OCI image layout in a tar archive; the image has
// the tag in its index.
func WriteOCIArchive(ctx context.Context, w io.Writer, img *Image, tag string) error {
	self, err := v1.NewHash(img.Digest)
	if err != nil {
		return err
	}
	mediaType, err := image{img}.MediaType()
	if err != nil {
		return err
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{
		MediaType: mediaType, Digest: self, Size: int64(len(img.raw)),
		Annotations: map[string]string{"org.opencontainers.image.ref.name": tag},
	}}})
	if err != nil {
		return err
	}
	a := archive{tar.NewWriter(w)}
	err = errors.Join(
		a.document("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)),
		a.document("index.json", index),
		a.document(blobPath(self), img.raw),
		a.document(blobPath(img.manifest.Config.Digest), img.config))
	if err != nil {
		return err
	}
	written := map[v1.Hash]bool{}
	for _, l := range img.manifest.Layers {
		if written[l.Digest] {
			continue
		}
		written[l.Digest] = true
		if err := a.blob(ctx, img.blobs, l); err != nil {
			return err
		}
	}
	return a.Close()
}

func blobPath(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }

// archive is a tar archive of files without owners or times.
type archive struct{ *tar.Writer }

func (a archive) begin(name string, size int64) error {
	return a.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)})
}

func (a archive) document(name string, b []byte) error {
	if err := a.begin(name, int64(len(b))); err != nil {
		return err
	}
	_, err := a.Write(b)
	return err
}

func (a archive) blob(ctx context.Context, blobs Blobs, d v1.Descriptor) error {
	r, size, err := blobs.OpenBlob(d.Digest.String())
	if err != nil {
		return err
	}
	defer r.Close()
	if err := errors.Join(ctx.Err(), a.begin(blobPath(d.Digest), size)); err != nil {
		return err
	}
	_, err = io.Copy(a, r)
	return err
}

// WriteDockerArchive writes what `docker load` reads; the image is called tag,
// as in NAME or NAME:TAG.
func WriteDockerArchive(ctx context.Context, w io.Writer, img *Image, tag string) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return model.Errorf(model.CodeInvalid, "%q cannot be a tag: %w", tag, err)
	}
	core, err := partial.CompressedToImage(image{img})
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	return tarball.Write(ref, core, writerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return w.Write(p)
	}))
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
