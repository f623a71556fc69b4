package imagepull

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// refNameAnnotation holds the tag of a manifest in an index (image-spec,
// annotations.md).
const refNameAnnotation = "org.opencontainers.image.ref.name"

// fileSet is where the files of a source lie: a directory or an archive. Names
// are relative, with slashes.
type fileSet interface {
	open(name string) (io.ReadCloser, error)
	String() string
}

// layoutSource is an image in an OCI image layout on this host, which may lie
// in an archive.
type layoutSource struct {
	kind   string
	path   string        // of a directory
	src    archiveSource // of an archive
	tag    string
	puller *Puller
	limits Limits
	files  fileSet // of resolve
}

func (s *layoutSource) String() string { return "OCI layout " + s.place() }

func (s *layoutSource) resolve(ctx context.Context, want Platform, _ model.Report) (*Image, error) {
	if s.src == nil {
		s.files = dirFiles(s.path)
		return s.find(ctx, want)
	}
	src, err := s.puller.plain(ctx, s.src)
	if err != nil {
		return nil, err
	}
	var img *Image
	if s.files, err = indexArchive(ctx, src, s.limits); err == nil {
		img, err = s.find(ctx, want)
	}
	if err != nil {
		return nil, errors.Join(err, src.close())
	}
	img.kept = src
	return img, nil
}

// find returns the image in s.files.
func (s *layoutSource) find(ctx context.Context, want Platform) (*Image, error) {
	index, err := readFile(s.files, "index.json", s.limits.ManifestBytes, "manifest_bytes")
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
	return newImage(s.kind, found, s.layer), nil
}

// place is the path to name a tag behind.
func (s *layoutSource) place() string {
	if s.src != nil {
		return s.src.String()
	}
	return s.path
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
			WithHint("for example %s:%s:%s", s.kind, s.place(), model.Printable(tags[0]))
	}
	return descriptor{}, model.Errorf(model.CodeNotFound, "%s has no tag %q", s, s.tag).
		WithHint("%s", tagHint(s.tag, tags))
}

func (s *layoutSource) manifest(_ context.Context, d descriptor) ([]byte, error) {
	return s.blob(d, s.limits.ManifestBytes, "manifest_bytes")
}

func (s *layoutSource) config(_ context.Context, d descriptor) ([]byte, error) {
	return s.blob(d, s.limits.ConfigBytes, "config_bytes")
}

func (s *layoutSource) blob(d descriptor, most int64, setting string) ([]byte, error) {
	doc, err := readFile(s.files, blobName(d.Digest), most, setting)
	if err != nil {
		return nil, err
	}
	return doc, d.verify(doc)
}

func (s *layoutSource) layer(d descriptor) layer {
	return layer{open: func(context.Context, model.Report) (io.ReadCloser, error) {
		f, err := s.files.open(blobName(d.Digest))
		if err != nil {
			return nil, err
		}
		return newVerifiedReader(f, d.Digest, d.Size), nil
	}}
}

// blobName is safe: a digest that has been checked holds only hex digits.
func blobName(d Digest) string { return path.Join("blobs", d.algorithm(), d.hex()) }

// readFile reads a small file.
func readFile(files fileSet, name string, most int64, setting string) ([]byte, error) {
	f, err := files.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, limitError(setting, most, "%s of %s is too large", name, files)
	}
	return b, err
}

// dirFiles are the files below a directory.
type dirFiles string

func (d dirFiles) String() string { return string(d) }

func (d dirFiles) open(name string) (io.ReadCloser, error) {
	f, err := openFile(filepath.Join(string(d), filepath.FromSlash(name)))
	if errors.Is(err, unix.ENOTDIR) {
		return nil, model.Errorf(model.CodeInvalid, "%s is not a directory", d).
			WithHint("an image in a file is archive:%s", d)
	}
	return f, err
}

// openFile opens a regular file of the user's; a FIFO does not stop it.
func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, model.Errorf(model.CodeNotFound, "%s does not exist", path).
			WithHint("check the path: it is one of the daemon's host")
	case err != nil:
		return nil, model.Errorf(model.CodeInvalid, "opening: %w", err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(model.Errorf(model.CodeInvalid, "%s is not a regular file", path), f.Close())
	}
	return f, nil
}
