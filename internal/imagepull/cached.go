package imagepull

import (
	"context"
	"errors"
	"io"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/model"
)

var errNotCached = errors.New("not in the cache")

// cachedDocuments reads documents from the cache alone.
type cachedDocuments struct {
	cache  *Cache
	limits Limits
}

func (c cachedDocuments) manifest(_ context.Context, d descriptor) ([]byte, error) {
	return c.document(d, c.limits.ManifestBytes)
}

func (c cachedDocuments) config(_ context.Context, d descriptor) ([]byte, error) {
	return c.document(d, c.limits.ConfigBytes)
}

func (c cachedDocuments) document(d descriptor, most int64) ([]byte, error) {
	doc := c.cache.read(d.Digest, most)
	if doc == nil || d.Size >= 0 && int64(len(doc)) != d.Size {
		return nil, errNotCached
	}
	return doc, nil
}

// resolveCached finds the image of a digest without asking the registry,
// whose answer could be no other. Layers that are not in the cache are still
// fetched from there. The error is errNotCached when the registry is needed.
func (s *registrySource) resolveCached(ctx context.Context, want Platform) (*Image, error) {
	ref, ok := s.ref.(name.Digest)
	if !ok {
		return nil, errNotCached
	}
	docs := cachedDocuments{s.puller.cache, s.puller.limits}
	d := descriptor{Digest: Digest(ref.DigestStr()), Size: -1}
	doc, err := docs.manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	c := chooser{docs: docs, want: want, limits: docs.limits}
	found, err := c.choose(ctx, d, doc)
	if err != nil {
		return nil, err
	}
	return newImage(KindRegistry, found, s.layer), nil
}

// layer returns a layer that connects to the registry only when it must.
func (s *registrySource) layer(d descriptor) layer {
	return cachedLayer(s.puller.cache, d, s.ref.Context().RegistryStr(), func(ctx context.Context, in *ingest, report model.Report) error {
		r, err := s.puller.connect(ctx, s.ref)
		if err != nil {
			return err
		}
		return r.download(ctx, in, report)
	})
}

// cachedLayer returns the layer of a descriptor: read from the cache, filled
// by download.
func cachedLayer(cache *Cache, d descriptor, host string, download func(context.Context, *ingest, model.Report) error) layer {
	return layer{
		open: func(ctx context.Context, report model.Report) (io.ReadCloser, error) {
			f, err := cache.follow(ctx, d.Digest, d.Size, func(ctx context.Context, in *ingest) error {
				if err := download(ctx, in, report); err != nil {
					return registryError(host, causeOf(ctx, err))
				}
				item(report, d.Digest, d.Size, d.Size)
				return nil
			})
			if err != nil {
				return nil, registryError(host, causeOf(ctx, err))
			}
			return f, nil
		},
		damaged: func(ctx context.Context) bool { return cache.evictDamaged(ctx, d.Digest) },
	}
}

// ResolveCached finds the image of a manifest that is in the cache, for the
// platform, without asking anyone. A document or a layer that is not there, or
// is damaged, is model.CodeConflict: it has left the cache.
func (p *Puller) ResolveCached(ctx context.Context, digest, platform string) (*Image, error) {
	want, err := ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	d, err := ParseDigest(digest)
	if err != nil {
		return nil, err
	}
	docs := cachedDocuments{p.cache, p.limits}
	root := descriptor{Digest: d, Size: -1}
	doc, err := docs.manifest(ctx, root)
	if err != nil {
		return nil, leftCache(d, err)
	}
	c := chooser{docs: docs, want: want, limits: docs.limits}
	found, err := c.choose(ctx, root, doc)
	if err != nil {
		return nil, leftCache(d, err)
	}
	return newImage(KindOCILayout, found, p.layerInCache), nil
}

// layerInCache returns a layer that is read from the cache and nowhere else.
func (p *Puller) layerInCache(d descriptor) layer {
	return layer{
		open: func(context.Context, model.Report) (io.ReadCloser, error) {
			f, _, err := p.cache.OpenBlob(string(d.Digest))
			if model.CodeOf(err) == model.CodeNotFound {
				return nil, leftCache(d.Digest, errNotCached)
			}
			return f, err
		},
		damaged: func(ctx context.Context) bool { return p.cache.evictDamaged(ctx, d.Digest) },
	}
}

func leftCache(d Digest, err error) error {
	if !errors.Is(err, errNotCached) {
		return err
	}
	return model.Errorf(model.CodeConflict, "a part of image %s has left the cache meanwhile", d.Short()).WithHint("try again")
}
