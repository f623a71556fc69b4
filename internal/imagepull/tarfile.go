package imagepull

import (
	"context"
	"io"
	"time"

	"banger/internal/model"
)

// tarSource is a root filesystem in a tar archive, which may be compressed.
type tarSource struct{ src archiveSource }

func (s *tarSource) String() string { return "archive " + s.src.String() }

// resolve learns the digest of the archive: an image that has been made of it
// already is recognized, and changes on the way are noticed.
func (s *tarSource) resolve(ctx context.Context, want Platform, _ model.Report) (*Image, error) {
	digest, size, err := s.src.digest(ctx)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, model.Errorf(model.CodeInvalid, "%s is empty", s.src).
			WithHint("look whether the command that writes it reports an error")
	}
	return &Image{
		Key:     string(digest),
		Source:  model.ImageSource{Kind: KindTar, Platform: want.String(), Layers: []string{string(digest)}},
		Config:  plainConfig(want),
		Created: time.Unix(0, 0).UTC(),
		layers:  []layer{{digest: digest, size: size, open: s.open(digest, size)}},
		kept:    s.src,
	}, nil
}

func (s *tarSource) open(d Digest, size int64) func(context.Context, model.Report) (io.ReadCloser, error) {
	return func(context.Context, model.Report) (io.ReadCloser, error) {
		f, err := s.src.open()
		if err != nil {
			return nil, err
		}
		return newVerifiedReader(f, d, size), nil
	}
}

// plainConfig is the configuration of a root filesystem that brings none.
func plainConfig(p Platform) model.ImageConfig {
	return model.ImageConfig{
		Architecture: p.Arch,
		Cmd:          []string{"/bin/sh"},
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}
}
