package imagepull

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/internal/model"
)

// probeTimeout bounds the first contact with a registry, its token server
// included.
const probeTimeout = 12 * time.Second

// maxErrorText bounds what is quoted of a registry's error.
const maxErrorText = 512

// registry reads from one repository of a registry (OCI distribution-spec).
type registry struct {
	client  *http.Client
	repo    name.Repository
	unread  error // why there are no credentials, when there should be some
	cache   *Cache
	limits  Limits
	backoff backoff
}

// connect finds out whether the registry is there and how it wants to be
// talked to. Credentials that cannot be read count when they are asked for.
func (p *Puller) connect(ctx context.Context, ref name.Reference) (*registry, error) {
	repo := ref.Context()
	auth, unread := p.keychain.ResolveContext(ctx, repo)
	if ctx.Err() != nil {
		return nil, causeOf(ctx, ctx.Err())
	}
	if unread != nil {
		auth = authn.Anonymous
	}
	probe, cancel := context.WithTimeoutCause(ctx, p.probe, errNoAnswer)
	defer cancel()
	home := homebound{inner: p.transport, registry: repo.RegistryStr(), others: p.tokenHosts}
	var rt http.RoundTripper
	err := p.backoff.retry(probe, func() (bool, error) {
		var err error
		rt, err = transport.NewWithContext(probe, repo.Registry, auth, home, []string{ref.Scope(transport.PullScope)})
		return false, err
	})
	if err != nil && ctx.Err() == nil && probe.Err() != nil {
		err = fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	r := &registry{
		client:  &http.Client{Transport: rt, CheckRedirect: checkRedirect},
		repo:    repo,
		unread:  unread,
		cache:   p.cache,
		limits:  p.limits,
		backoff: p.backoff,
	}
	if err != nil {
		return nil, r.error(causeOf(ctx, err))
	}
	return r, nil
}

// error classes what went wrong with the registry. One that refuses us because
// credentials could not be read is not to blame.
func (r *registry) error(err error) error {
	err = registryError(r.repo.RegistryStr(), err)
	if r.unread == nil || model.CodeOf(err) != model.CodeUnauthorized {
		return err
	}
	return model.Errorf(model.CodeUnauthorized, "registry %s wants credentials: %w", r.repo.RegistryStr(), r.unread)
}

// root fetches the document that ref names.
func (r *registry) root(ctx context.Context, ref name.Reference) (descriptor, []byte, error) {
	want := descriptor{Size: -1}
	if d, ok := ref.(name.Digest); ok {
		want.Digest = Digest(d.DigestStr())
	}
	doc, mediaType, err := r.document(ctx, "manifests/"+ref.Identifier(), want, r.limits.ManifestBytes, "manifest_bytes")
	if err != nil {
		return want, nil, err
	}
	if want.Digest == "" {
		want.Digest = digestOf(doc)
	}
	want.MediaType, want.Size = mediaType, int64(len(doc))
	return want, doc, r.cache.put(want.Digest, doc)
}

func (r *registry) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	return r.cached(ctx, "manifests/", d, r.limits.ManifestBytes, "manifest_bytes")
}

func (r *registry) config(ctx context.Context, d descriptor) ([]byte, error) {
	return r.cached(ctx, "blobs/", d, r.limits.ConfigBytes, "config_bytes")
}

// cached reads a small document from the cache, else from the registry. Who
// wants the same one meanwhile waits.
func (r *registry) cached(ctx context.Context, kind string, d descriptor, most int64, setting string) ([]byte, error) {
	unlock, err := r.cache.locks.lock(ctx, string(d.Digest))
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	defer unlock()
	if doc := r.cache.read(d.Digest, most); int64(len(doc)) == d.Size && doc != nil {
		return doc, nil
	}
	doc, _, err := r.document(ctx, kind+string(d.Digest), d, most, setting)
	if err != nil {
		return nil, err
	}
	return doc, r.cache.put(d.Digest, doc)
}

// document fetches and verifies a document of at most most bytes. A digest
// that is "" and a size below 0 are not known beforehand.
func (r *registry) document(ctx context.Context, path string, want descriptor, most int64, setting string) (doc []byte, mediaType string, err error) {
	if want.Size > most {
		return nil, "", limitError(setting, most, "a document of %d bytes is announced", want.Size)
	}
	err = r.backoff.retry(ctx, func() (bool, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, r.limits.Stall, errNoAnswer)
		defer cancel()
		resp, err := r.get(ctx, path, acceptManifests, 0)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		mediaType, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
		doc, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
		return false, err
	})
	switch {
	case err != nil:
		return nil, "", r.error(causeOf(ctx, err))
	case int64(len(doc)) > most:
		return nil, "", limitError(setting, most, "the registry sends too large a document")
	}
	return doc, mediaType, want.verify(doc)
}

// verify checks that doc is what d describes, as far as d knows.
func (d *descriptor) verify(doc []byte) error {
	if d.Size >= 0 && int64(len(doc)) != d.Size {
		return model.Errorf(model.CodeIntegrity, "document %s has %d bytes in place of %d", d.Digest.Short(), len(doc), d.Size)
	}
	if d.Digest == "" {
		return nil
	}
	h := d.Digest.newHash()
	h.Write(doc)
	if !d.Digest.matches(h) {
		return model.Errorf(model.CodeIntegrity, "document %s is not what its digest says", d.Digest.Short())
	}
	return nil
}

// get sends one request for what is at path of the repository, from offset on.
// The answer is 200 or, for an offset, 206.
func (r *registry) get(ctx context.Context, path, accept string, offset int64) (*http.Response, error) {
	url := fmt.Sprintf("%s://%s/v2/%s/%s", r.repo.Scheme(), r.repo.RegistryStr(), r.repo.RepositoryStr(), path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	if resp.StatusCode == http.StatusOK || offset > 0 && resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText)) // what arrives is good enough
	return nil, &statusError{status: resp.StatusCode, text: registryText(text), after: retryAfter(resp.Header)}
}
