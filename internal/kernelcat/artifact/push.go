package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/model"
)

// Part is a file that becomes a layer.
type Part struct {
	MediaType string
	Path      string // of a zstd file
}

// Push writes a kernel to a registry and returns the digest of its manifest:
// layers first, then the config, last the manifest that makes them a kernel.
// Layers that the registry has are not sent again.
func (c *Client) Push(ctx context.Context, ref string, info Info, parts []Part, note func(string)) (string, error) {
	parsed, err := ParseReference(ref)
	if err != nil {
		return "", err
	}
	if _, ok := parsed.(name.Digest); ok {
		return "", model.Errorf(model.CodeInvalid, "kernel reference %q: what is pushed needs a tag in place of a digest", ref)
	}
	digest, err := c.push(ctx, parsed, info, parts, note)
	return digest, classify(ctx, parsed.Context().RegistryStr(), err)
}

func (c *Client) push(ctx context.Context, ref name.Reference, info Info, parts []Part, note func(string)) (string, error) {
	var layers []descriptor
	for _, p := range parts {
		l, err := newFileLayer(p)
		if err != nil {
			return "", err
		}
		note(fmt.Sprintf("sending %s (%d MB)", fileNames()[p.MediaType], (l.d.Size+999_999)/1_000_000))
		if err := c.send(ctx, ref, l); err != nil {
			return "", err
		}
		layers = append(layers, l.d)
	}
	text, err := json.Marshal(info)
	if err != nil {
		return "", fmt.Errorf("writing the artifact's config: %w", err)
	}
	if err := remote.WriteLayer(ref.Context(), static.NewLayer(text, ConfigType), c.options(ctx)...); err != nil {
		return "", err
	}
	doc, err := json.Marshal(newManifest(info, descriptor{MediaType: ConfigType, Digest: digestOf(text), Size: int64(len(text))}, layers))
	if err != nil {
		return "", fmt.Errorf("writing the artifact's manifest: %w", err)
	}
	return digestOf(doc), remote.Put(ref, rawManifest(doc), c.options(ctx)...)
}

func (c *Client) send(ctx context.Context, ref name.Reference, l *fileLayer) error {
	layer, err := partial.CompressedToLayer(l)
	if err != nil {
		return err
	}
	return remote.WriteLayer(ref.Context(), layer, c.options(ctx)...)
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// rawManifest is a manifest as it is sent.
type rawManifest []byte

// RawManifest implements remote.Taggable.
func (m rawManifest) RawManifest() ([]byte, error) { return m, nil }

// MediaType tells the registry what it is.
func (m rawManifest) MediaType() (types.MediaType, error) { return ManifestType, nil }

// fileLayer is a file as a layer; it implements partial.CompressedLayer.
type fileLayer struct {
	d    descriptor
	path string
}

func newFileLayer(p Part) (*fileLayer, error) {
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, fmt.Errorf("reading a layer: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return nil, fmt.Errorf("reading a layer: %w", err)
	}
	if n > maxLayer {
		return nil, model.Errorf(model.CodeLimit, "layer %s has %d bytes: at most %d are allowed", p.MediaType, n, int64(maxLayer))
	}
	return &fileLayer{descriptor{MediaType: p.MediaType, Digest: "sha256:" + hex.EncodeToString(h.Sum(nil)), Size: n}, p.Path}, nil
}

// Digest implements partial.CompressedLayer.
func (l *fileLayer) Digest() (v1.Hash, error) { return v1.NewHash(l.d.Digest) }

// Compressed implements partial.CompressedLayer.
func (l *fileLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Size implements partial.CompressedLayer.
func (l *fileLayer) Size() (int64, error) { return l.d.Size, nil }

// MediaType implements partial.CompressedLayer.
func (l *fileLayer) MediaType() (types.MediaType, error) { return types.MediaType(l.d.MediaType), nil }
