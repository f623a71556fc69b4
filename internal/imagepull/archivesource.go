package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"

	"banger/internal/model"
)

// archiveSource is an archive that can be read at any place, any number of
// times.
type archiveSource interface {
	open() (*openArchive, error)
	// digest returns the digest of all bytes, and how many there are.
	digest(ctx context.Context) (Digest, int64, error)
	// close gives up what the archive was kept in.
	close() error
	String() string
}

// openArchive is an archive while it is read.
type openArchive struct {
	*io.SectionReader
	io.Closer
}

// archiveFile is an archive in a file of the user's.
type archiveFile string

func (a archiveFile) String() string { return string(a) }

func (a archiveFile) close() error { return nil }

func (a archiveFile) open() (*openArchive, error) {
	f, err := openFile(string(a))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &openArchive{io.NewSectionReader(f, 0, info.Size()), f}, nil
}

func (a archiveFile) digest(ctx context.Context) (Digest, int64, error) {
	f, err := a.open()
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := Digest("sha256:").newHash()
	size, err := io.Copy(sum, contextReader{ctx, f})
	if err != nil {
		return "", 0, fmt.Errorf("reading %s: %w", a, err)
	}
	return Digest(fmt.Sprintf("sha256:%x", sum.Sum(nil))), size, nil
}

// formatOfSource tells how an archive is compressed.
func formatOfSource(src archiveSource) (string, error) {
	f, err := src.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	var head [6]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return formatOf(head[:n]), nil
}

// plain returns an archive that is not compressed: src, or a copy of it. An
// archive of images is read at many places, which a compressed one does not
// allow.
func (p *Puller) plain(ctx context.Context, src archiveSource) (archiveSource, error) {
	format, err := formatOfSource(src)
	if err != nil || format == "tar" {
		return src, err
	}
	f, err := src.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := decompress(contextReader{ctx, f}, p.limits)
	if err != nil {
		return nil, archiveError(err)
	}
	defer r.Close()
	s, err := p.cache.spool(r, src.String(), p.limits.OutputBytes)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(archiveError(err)), "decompressing %s: %w", src, archiveError(err))
	}
	return s, src.close()
}
