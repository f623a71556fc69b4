package imagepull

import (
	"context"
	"fmt"
	"io"
	"time"

	"banger/internal/model"
)

// tarSource is a root filesystem in a tar archive on this host, which may be
// compressed.
type tarSource struct{ file string }

func (s *tarSource) String() string { return "archive " + s.file }

// resolve reads the archive once to learn its digest: an image that has been
// made of it already is recognized, and changes on the way are noticed.
func (s *tarSource) resolve(ctx context.Context, want Platform, _ model.Report) (*Image, error) {
	f, err := openFile(s.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := Digest("sha256:").newHash()
	size, err := io.Copy(sum, contextReader{ctx, f})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.file, err)
	}
	digest := Digest(fmt.Sprintf("sha256:%x", sum.Sum(nil)))
	return &Image{
		Key:     string(digest),
		Source:  model.ImageSource{Kind: KindTar, Platform: want.String(), Layers: []string{string(digest)}},
		Config:  plainConfig(want),
		Created: time.Unix(0, 0).UTC(),
		layers:  []layer{{digest: digest, size: size, open: s.open(digest, size)}},
	}, nil
}

func (s *tarSource) open(d Digest, size int64) func(context.Context, model.Report) (io.ReadCloser, error) {
	return func(context.Context, model.Report) (io.ReadCloser, error) {
		f, err := openFile(s.file)
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
