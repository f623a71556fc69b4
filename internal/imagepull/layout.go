package imagepull

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/model"
)

// refNameAnnotation holds the tag of a manifest in an index (image-spec,
// annotations.md).
const refNameAnnotation = "org.opencontainers.image.ref.name"

// layoutSource is an image in an OCI image layout on this host.
type layoutSource struct {
	dir    string
	tag    string
	limits Limits
}

func (s *layoutSource) String() string { return "OCI layout " + s.dir }

func (s *layoutSource) resolve(ctx context.Context, want Platform, _ model.Report) (*Image, error) {
	index, err := s.readFile(filepath.Join(s.dir, "index.json"), s.limits.ManifestBytes, "manifest_bytes")
	if err != nil {
		return nil, err
	}
	parsed, err := parseDocument(index, typeOCIIndex, s.limits)
	if err != nil {
		return nil, err
	}
	d, err := s.tagged(parsed.Manifests)
	if err != nil {
		return nil, err
	}
	doc, err := s.manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	c := chooser{docs: s, want: want, limits: s.limits}
	found, err := c.choose(ctx, d, doc)
	if err != nil {
		return nil, err
	}
	return newImage(KindOCILayout, found, s.layer), nil
}

// tagged returns the manifest of the tag, or the only one when none is asked for.
func (s *layoutSource) tagged(manifests []descriptor) (descriptor, error) {
	var tags []string
	for _, d := range manifests {
		tag := d.Annotations[refNameAnnotation]
		if tag == s.tag && s.tag != "" || s.tag == "" && len(manifests) == 1 {
			return d, nil
		}
		tags = append(tags, tag)
	}
	if s.tag == "" {
		return descriptor{}, model.Errorf(model.CodeInvalid, "%s holds %d images: name a tag", s, len(manifests)).
			WithHint("for example oci:%s:%s", s.dir, tags[0])
	}
	return descriptor{}, model.Errorf(model.CodeNotFound, "%s has no tag %q", s, s.tag).
		WithHint("it has %q", model.Nearest(s.tag, tags))
}

func (s *layoutSource) manifest(_ context.Context, d descriptor) ([]byte, error) {
	return s.blob(d, s.limits.ManifestBytes, "manifest_bytes")
}

func (s *layoutSource) config(_ context.Context, d descriptor) ([]byte, error) {
	return s.blob(d, s.limits.ConfigBytes, "config_bytes")
}

func (s *layoutSource) blob(d descriptor, most int64, setting string) ([]byte, error) {
	doc, err := s.readFile(s.path(d.Digest), most, setting)
	if err != nil {
		return nil, err
	}
	return doc, d.verify(doc)
}

func (s *layoutSource) layer(d descriptor) layer {
	return layer{open: func(context.Context, model.Report) (io.ReadCloser, error) {
		f, err := openFile(s.path(d.Digest))
		if err != nil {
			return nil, err
		}
		return newVerifiedReader(f, d.Digest, d.Size), nil
	}}
}

// path is safe: a digest that has been checked holds only hex digits.
func (s *layoutSource) path(d Digest) string {
	return filepath.Join(s.dir, "blobs", d.algorithm(), d.hex())
}

func (s *layoutSource) readFile(path string, most int64, setting string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, limitError(setting, most, "%s is too large", path)
	}
	return b, err
}

// openFile opens a file of the user's.
func openFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, model.Errorf(model.CodeNotFound, "%s does not exist", path)
	case err != nil:
		return nil, model.Errorf(model.CodeInvalid, "opening: %w", err)
	}
	return f, nil
}
