package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"banger/internal/model"
)

// Pulled is an artifact on this host.
type Pulled struct {
	Info   Info
	Digest string            // of the manifest
	Parts  map[string]string // by media type: paths of verified zstd files
}

// Pull downloads the artifact that ref names into dir, which exists.
//
//	manifest  by tag or digest; a digest in ref is checked
//	config    which kernel it is; accept may refuse it
//	layers    each verified against the manifest
//
// Layers of unknown types are passed over. An unreachable registry is
// CodeUnreachable, what is no kernel CodeInvalid, wrong bytes CodeIntegrity.
func (c *Client) Pull(ctx context.Context, ref, dir string, accept func(Info) error, note func(string)) (Pulled, error) {
	parsed, err := ParseReference(ref)
	if err != nil {
		return Pulled{}, err
	}
	pulled, err := c.pull(ctx, parsed, dir, accept, note)
	return pulled, classify(ctx, parsed.Context().RegistryStr(), err)
}

func (c *Client) pull(ctx context.Context, ref name.Reference, dir string, accept func(Info) error, note func(string)) (Pulled, error) {
	got, err := remote.Get(ref, c.options(ctx)...)
	if err != nil {
		return Pulled{}, err
	}
	if len(got.Manifest) > maxManifest {
		return Pulled{}, model.Errorf(model.CodeLimit, "the artifact's manifest has %d bytes: at most %d are allowed", len(got.Manifest), maxManifest)
	}
	m, err := parseManifest(got.Manifest)
	if err != nil {
		return Pulled{}, err
	}
	p := Pulled{Digest: got.Digest.String(), Parts: map[string]string{}}
	if p.Info, err = c.info(ctx, ref, m.Config); err != nil {
		return Pulled{}, err
	}
	if err := accept(p.Info); err != nil {
		return Pulled{}, err
	}
	for _, d := range m.Layers {
		base, known := fileNames()[d.MediaType]
		if !known {
			continue
		}
		note(fmt.Sprintf("downloading %s of %s (%d MB)", base, ref, (d.Size+999_999)/1_000_000))
		path := filepath.Join(dir, base)
		if err := c.layer(ctx, ref, d, path); err != nil {
			return Pulled{}, err
		}
		p.Parts[d.MediaType] = path
	}
	return p, nil
}

// fileNames are what layers are called on disk.
func fileNames() map[string]string {
	return map[string]string{
		VmlinuxType: "vmlinux.zst", ModulesType: "modules.tar.zst", BuildType: "config.zst", InitrdType: "initrd.zst",
	}
}

func (c *Client) info(ctx context.Context, ref name.Reference, d descriptor) (Info, error) {
	if d.Size > maxConfig {
		return Info{}, model.Errorf(model.CodeLimit, "the artifact's config has %d bytes: at most %d are allowed", d.Size, maxConfig)
	}
	var text strings.Builder
	if err := c.blob(ctx, ref, d, &text); err != nil {
		return Info{}, err
	}
	return parseInfo([]byte(text.String()))
}

func (c *Client) layer(ctx context.Context, ref name.Reference, d descriptor, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keeping a layer: %w", err)
	}
	return errors.Join(c.blob(ctx, ref, d, f), f.Close())
}

// blob copies a blob of exactly d.Size bytes and checks what it is.
func (c *Client) blob(ctx context.Context, ref name.Reference, d descriptor, w io.Writer) error {
	layer, err := remote.Layer(ref.Context().Digest(d.Digest), c.options(ctx)...)
	if err != nil {
		return err
	}
	body, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer body.Close()
	h := sha256.New()
	n, err := io.CopyN(io.MultiWriter(w, h), body, d.Size)
	switch {
	case errors.Is(err, io.EOF):
		return model.Errorf(model.CodeIntegrity, "layer %s has %d bytes in place of %d", d.Digest, n, d.Size)
	case err != nil && ended(err):
		return fmt.Errorf("reading layer %s: %w", d.Digest, err)
	case err != nil:
		return model.Errorf(model.CodeIntegrity, "reading layer %s: %w", d.Digest, err)
	case "sha256:"+hex.EncodeToString(h.Sum(nil)) != d.Digest:
		return model.Errorf(model.CodeIntegrity, "layer %s is not what its digest says", d.Digest)
	}
	return nil
}

// ended tells a connection that ended, or was ended, from a body that is not
// what it should be.
func ended(err error) bool {
	var network net.Error
	var known *model.Error
	return errors.As(err, &network) || errors.As(err, &known) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled)
}
