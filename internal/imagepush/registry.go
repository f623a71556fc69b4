package imagepush

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/internal/model"
)

// stall is how long a registry may take nothing before it is given up.
const stall = 2 * time.Minute

// Registry writes images to registries, as docker's and podman's users are
// logged in there.
type Registry struct {
	Transport http.RoundTripper // below authentication and retries
}

// ParseTarget reads the reference of an image to be: a tag, not a digest.
func ParseTarget(ref string) (name.Tag, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return tag, model.Errorf(model.CodeInvalid, "%.200q names no place to push to: %w", ref, err).
			WithHint("references look like registry.example/team/app:v1")
	}
	return tag, nil
}

// Push writes an image to where tag points: layers first, then the
// configuration, last the manifest. What the registry has is not sent again,
// so that a push that broke off goes on where it was. Behind it the registry
// is asked what it has.
func (r *Registry) Push(ctx context.Context, tag name.Tag, img *Image, report model.Report) error {
	core, err := partial.CompressedToImage(image{img})
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	updates, written, watched := make(chan v1.Update, 64), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		watch(written, updates, cancel, img.Digest, report)
	}()
	err = remote.Write(tag, core, append(r.options(ctx), remote.WithProgress(updates))...)
	close(written)
	<-watched
	if err != nil {
		return registryError(ctx, tag.RegistryStr(), err)
	}
	return r.check(ctx, tag, img.Digest)
}

// check asks the registry what the tag points to now.
func (r *Registry) check(ctx context.Context, tag name.Tag, digest string) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	have, err := remote.Head(tag, r.options(ctx)...)
	if err != nil {
		return registryError(ctx, tag.RegistryStr(), err)
	}
	if have.Digest.String() != digest {
		return model.Errorf(model.CodeIntegrity, "registry %s was sent %s and has %s under %s", tag.RegistryStr(), digest, have.Digest, tag)
	}
	return nil
}

func (r *Registry) options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(r.Transport),
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithJobs(2),
	}
}

// watch passes progress on until all is written, and ends the push when there
// is none. It takes updates even then: whoever sends them would wait forever.
func watch(written <-chan struct{}, updates <-chan v1.Update, cancel context.CancelCauseFunc, id string, report model.Report) {
	timer := time.NewTimer(stall)
	defer timer.Stop()
	for {
		select {
		case <-written:
			return
		case u, open := <-updates:
			if !open { // the library does so when it has begun to write
				updates = nil
				continue
			}
			timer.Reset(stall)
			report(model.Progress{Item: &model.ItemProgress{ID: id[:min(len(id), len("sha256:")+12)], Current: u.Complete, Total: u.Total}})
		case <-timer.C:
			cancel(model.Errorf(model.CodeTimeout, "the registry took nothing for %v", stall).
				WithHint("push again: what has arrived is not sent again"))
		}
	}
}

// registryError gives what went wrong with a registry its code.
func registryError(ctx context.Context, host string, err error) error {
	var known *model.Error
	var answer *transport.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(context.Cause(ctx), &known) || errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return model.Errorf(model.CodeCanceled, "pushing to %s: %w", host, context.Cause(ctx))
	case errors.As(err, &certificate):
		return model.Errorf(model.CodeIntegrity, "registry %s shows a certificate that is not trusted: %w", host, err)
	case !errors.As(err, &answer):
		return model.Errorf(model.CodeUnreachable, "registry %s cannot be reached: %w", host, err).
			WithHint("check the name and this host's network, then push again: what has arrived is not sent again")
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return model.Errorf(model.CodeUnauthorized, "registry %s refuses: %w", host, err).
			WithHint("log in first: docker login %s, or podman login %s", host, host)
	}
	return model.Errorf(model.CodeUnreachable, "registry %s does not take it: %w", host, err).
		WithHint("push again later: what has arrived is not sent again")
}
