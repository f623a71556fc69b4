package imagepull

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"

	"banger/internal/model"
)

const (
	// maxArchiveFiles bounds the index of an archive of images. Docker writes
	// three files for each layer.
	maxArchiveFiles = 1 << 14

	// maxArchiveLinks bounds a chain of links in an archive of images: older
	// Dockers write a layer that two images share as a link.
	maxArchiveLinks = 4
)

// archiveFiles are the files in an uncompressed tar archive, which is read
// where it lies.
type archiveFiles struct {
	src   archiveSource
	spans map[string]span
	links map[string]string // targets, relative to the archive's root
}

// span is where the content of a file lies in its archive.
type span struct{ offset, size int64 }

// indexArchive reads the headers of an archive. When two members have the same
// name, the last one counts, as for layers.
func indexArchive(ctx context.Context, src archiveSource, limits Limits) (*archiveFiles, error) {
	f, err := src.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a := &archiveFiles{src: src, spans: map[string]span{}, links: map[string]string{}}
	t := tar.NewReader(f) // which seeks over contents and reads nothing ahead
	for {
		if err := ctx.Err(); err != nil {
			return nil, archiveError(err)
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, archiveError(err)
		}
		offset, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if err := a.add(h, offset, limits); err != nil {
			return nil, err
		}
	}
}

func (a *archiveFiles) add(h *tar.Header, offset int64, limits Limits) error {
	name, err := memberPath(h.Name, limits)
	if err != nil {
		return err
	}
	if len(a.spans)+len(a.links) >= maxArchiveFiles {
		return fixedLimitError("files of an archive of images", maxArchiveFiles, "%s holds too many files", a.src)
	}
	delete(a.spans, name)
	delete(a.links, name)
	switch h.Typeflag {
	case tar.TypeReg:
		if isSparse(h) {
			return model.Errorf(model.CodeUnsupported, "%q of %s is sparse", h.Name, a.src)
		}
		a.spans[name] = span{offset, h.Size}
	case tar.TypeSymlink:
		target := path.Join(path.Dir(name), h.Linkname) //nolint:gosec // a key of spans, no path on this host
		if len(h.Linkname) > limits.PathBytes || path.IsAbs(h.Linkname) {
			return model.Errorf(model.CodeIntegrity, "link %q of %s leaves the archive", h.Name, a.src)
		}
		a.links[name] = target
	case tar.TypeLink:
		if a.links[name], err = memberPath(h.Linkname, limits); err != nil {
			return err
		}
	}
	return nil
}

// isSparse tells whether a regular member is stored with a map of its holes
// (PAX formats 0.x and 1.0), which spans do not understand.
func isSparse(h *tar.Header) bool {
	for _, key := range []string{"GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.numblocks"} {
		if _, ok := h.PAXRecords[key]; ok {
			return true
		}
	}
	return false
}

func (a *archiveFiles) String() string { return a.src.String() }

// find follows links to a file.
func (a *archiveFiles) find(name string) (span, error) {
	name = path.Clean(name)
	for range maxArchiveLinks {
		if s, ok := a.spans[name]; ok {
			return s, nil
		}
		target, ok := a.links[name]
		if !ok {
			break
		}
		name = target
	}
	return span{}, model.Errorf(model.CodeNotFound, "%s has no file %.200q", a.src, name)
}

func (a *archiveFiles) open(name string) (io.ReadCloser, error) {
	s, err := a.find(name)
	if err != nil {
		return nil, err
	}
	f, err := a.src.open()
	if err != nil {
		return nil, err
	}
	return &openArchive{io.NewSectionReader(f, s.offset, s.size), f}, nil
}
