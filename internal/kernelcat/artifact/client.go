package artifact

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"banger/internal/kernelcat/web"
	"banger/internal/model"
)

// Client talks to registries as docker's and podman's users are logged in.
type Client struct {
	transport http.RoundTripper
}

// NewClient returns a client; nothing is connected to yet.
func NewClient() *Client {
	return &Client{transport: web.NewTransport()}
}

// options are those of every call. One try: a source that cannot be reached
// gives way to the next.
func (c *Client) options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(c.transport), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithRetryPredicate(func(error) bool { return false }),
	}
}

// ParseReference reads REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST], of which the
// registry must be named.
func ParseReference(ref string) (name.Reference, error) {
	registry, rest, _ := strings.Cut(ref, "/")
	if strings.Trim(registry, ".~") == "" {
		return nil, model.Errorf(model.CodeInvalid, "kernel reference %.256q: it is a path, and REGISTRY/NAME:TAG is needed", ref).
			WithHint("banger kernel import --help tells how files of this host become a kernel")
	}
	if rest == "" || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		return nil, model.Errorf(model.CodeInvalid, "kernel reference %.256q: REGISTRY/NAME:TAG is needed", ref)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "kernel reference %q: %w", ref, err)
	}
	return parsed, nil
}

// classify gives what went wrong with a registry its code.
func classify(ctx context.Context, registry string, err error) error {
	var known *model.Error
	var answer *transport.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return model.Errorf(model.CodeCanceled, "talking to registry %s: %w", registry, ctx.Err())
	case errors.As(err, &certificate):
		return model.Errorf(model.CodeIntegrity, "registry %s shows a certificate that is not trusted: %w", registry, err)
	case !errors.As(err, &answer):
		return model.Errorf(model.CodeUnreachable, "registry %s cannot be reached: %w", registry, err).
			WithHint("check the name and this host's network")
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return model.Errorf(model.CodeUnauthorized, "registry %s refuses: %w", registry, err).
			WithHint("log in first: docker login %s, or podman login %s", registry, registry)
	case http.StatusNotFound:
		return model.Errorf(model.CodeNotFound, "registry %s does not have it: %w", registry, err)
	}
	return model.Errorf(model.CodeUnreachable, "registry %s cannot serve it: %w", registry, err)
}
