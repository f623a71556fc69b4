package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/cosign"
	"banger/internal/model"
	"banger/internal/registryauth"
)

// Config is what a Puller is made of. Cache is needed; the rest has defaults.
type Config struct {
	Cache      *Cache
	Limits     Limits                // default DefaultLimits
	Keychain   authn.ContextKeychain // default: what docker and podman have logged in to
	Transport  http.RoundTripper     // default: direct or by the environment's proxy
	Backoff    time.Duration         // before the second attempt at a request; default 500 ms
	Probe      time.Duration         // for the first contact with a registry; default 12 s
	TokenHosts []string              // may be given any registry's credentials, as its token server
	Getenv     func(string) string   // default os.Getenv
	Mmdebstrap string                // program; default mmdebstrap, from PATH
}

// Puller resolves references and builds root filesystems of them. It may be
// used by several goroutines.
type Puller struct {
	cache      *Cache
	limits     Limits
	keychain   authn.ContextKeychain
	tokenHosts []string
	transport  http.RoundTripper
	backoff    backoff
	probe      time.Duration
	mmdebstrap string
	getenv     func(string) string
}

// New returns a Puller.
func New(cfg Config) *Puller {
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Keychain == nil {
		cfg.Keychain = registryauth.New(registryauth.Config{Getenv: cfg.Getenv})
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport()
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 500 * time.Millisecond
	}
	if cfg.Probe == 0 {
		cfg.Probe = probeTimeout
	}
	if cfg.Mmdebstrap == "" {
		cfg.Mmdebstrap = "mmdebstrap"
	}
	return &Puller{
		cache:      cfg.Cache,
		limits:     cfg.Limits,
		keychain:   cfg.Keychain,
		tokenHosts: cfg.TokenHosts,
		transport:  encryptedOnly{cfg.Transport},
		backoff:    backoff{cfg.Backoff},
		probe:      cfg.Probe,
		mmdebstrap: cfg.Mmdebstrap,
		getenv:     cfg.Getenv,
	}
}

// source is one place where an image is looked for.
type source interface {
	// resolve finds the image for a platform. Only an error of
	// model.CodeUnreachable lets the next source be tried.
	resolve(ctx context.Context, want Platform, report model.Report) (*Image, error)
	// String names the source for people.
	String() string
}

// Resolve finds the image that ref names, for platform (see ParsePlatform).
// Errors are of CodeNotFound, CodeUnauthorized, CodeUnreachable,
// CodeIntegrity, CodeUnsupported or CodeLimit.
func (p *Puller) Resolve(ctx context.Context, ref Ref, platform string, report model.Report) (*Image, error) {
	want, err := ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	sources, err := p.sources(ctx, ref)
	if err != nil {
		return nil, err
	}
	var failed []error
	for i, src := range sources {
		img, err := src.resolve(ctx, want, report)
		if err == nil {
			img.Source.Reference = ref.String()
			return img, nil
		}
		if failed = append(failed, err); model.CodeOf(err) != model.CodeUnreachable {
			break
		}
		if i+1 < len(sources) {
			report(model.Progress{Note: fmt.Sprintf("%s cannot be reached: trying %s", src, sources[i+1])})
		}
	}
	last := failed[len(failed)-1]
	return nil, withSuggestions(model.Errorf(model.CodeOf(last), "resolving %s: %w", ref.familiar(), last), ref)
}

// ResolveStream is Resolve for a reference to standard input, which in is. The
// image is to be closed. One Read of in may be under way after it returns.
func (p *Puller) ResolveStream(ctx context.Context, ref Ref, in io.Reader, platform string, report model.Report) (*Image, error) {
	want, err := ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	if !ref.IsStream() {
		return nil, model.Errorf(model.CodeInvalid, "%s is not standard input", ref)
	}
	in, stop := interruptible(ctx, in)
	defer stop()
	kept, err := p.cache.spool(in, streamName, p.limits.OutputBytes)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(causeOf(ctx, err)), "reading %s: %w", streamName, causeOf(ctx, err))
	}
	src, err := p.archive(ctx, ref, kept)
	if err != nil {
		return nil, errors.Join(err, kept.close())
	}
	img, err := src.resolve(ctx, want, report)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "resolving %s: %w", streamName, errors.Join(err, kept.close()))
	}
	img.Source.Reference = ref.text + "@" + img.Key
	return img, nil
}

// archive returns the source for an archive of the kind that ref names, or
// that it turns out to be.
func (p *Puller) archive(ctx context.Context, ref Ref, src archiveSource) (source, error) {
	kind := ref.kind
	if kind == KindArchive {
		var err error
		if kind, err = identify(ctx, src, p.limits); err != nil {
			return nil, model.Errorf(model.CodeOf(err), "looking into %s: %w", src, err)
		}
	}
	switch kind {
	case KindOCIArchive:
		return &layoutSource{kind: kind, src: src, tag: ref.tag, puller: p, limits: p.limits}, nil
	case KindDockerArchive:
		return &dockerArchive{puller: p, src: src, tag: ref.tag}, nil
	}
	return &tarSource{src}, nil
}

// sources returns the places where ref is looked for, in order.
func (p *Puller) sources(ctx context.Context, ref Ref) ([]source, error) {
	switch {
	case ref.IsStream():
		return nil, noInput(ref)
	case ref.kind == KindOCILayout:
		return []source{&layoutSource{kind: ref.kind, path: ref.path, tag: ref.tag, limits: p.limits}}, nil
	case ref.kind == KindDir:
		return []source{&dirSource{dir: ref.path}}, nil
	case ref.kind == KindDockerDaemon || ref.kind == KindPodman:
		return []source{&engine{puller: p, kind: ref.kind, name: ref.path}}, nil
	case ref.path != "":
		src, err := p.archive(ctx, ref, archiveFile(ref.path))
		return []source{src}, err
	case ref.image != nil:
		return []source{&registrySource{puller: p, ref: ref.image, key: ref.key}}, nil
	case ref.entry == nil:
		return nil, errors.New("a reference that was not parsed")
	}
	var sources []source
	for _, s := range ref.entry.Sources {
		if s.Mmdebstrap != nil {
			if ref.key != nil {
				continue // nobody signs what is made here
			}
			sources = append(sources, &mmdebstrap{program: p.mmdebstrap, spec: *s.Mmdebstrap, scratch: &p.cache.scratch})
			continue
		}
		image, err := name.ParseReference(s.OCI)
		if err != nil {
			return nil, fmt.Errorf("reading the catalog: %w", err)
		}
		sources = append(sources, &registrySource{puller: p, ref: image, key: ref.key})
	}
	return sources, nil
}

// registrySource is an image in a registry.
type registrySource struct {
	puller *Puller
	ref    name.Reference
	key    *cosign.Key // whose signature is wanted; nil: nobody's
}

func (s *registrySource) String() string { return "registry " + s.ref.Context().RegistryStr() }

func (s *registrySource) resolve(ctx context.Context, want Platform, _ model.Report) (*Image, error) {
	if s.key == nil {
		if img, err := s.resolveCached(ctx, want); !errors.Is(err, errNotCached) {
			return img, err
		}
	}
	r, err := s.puller.connect(ctx, s.ref)
	if err != nil {
		return nil, err
	}
	d, doc, err := r.root(ctx, s.ref)
	if err != nil {
		return nil, err
	}
	if s.key != nil {
		if err := r.checkSignature(ctx, s.key, d.Digest); err != nil {
			return nil, err
		}
	}
	c := chooser{docs: r, want: want, limits: r.limits}
	found, err := c.choose(ctx, d, doc)
	if err != nil {
		return nil, err
	}
	img := newImage(KindRegistry, found, r.layer)
	if s.key != nil {
		img.Source.Verified = s.key.Fingerprint()
	}
	return img, nil
}
