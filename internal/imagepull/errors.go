package imagepull

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// errNoAnswer ends what a registry does not answer in time.
var errNoAnswer = errors.New("no answer in time")

// statusError is an HTTP answer other than the one hoped for.
type statusError struct {
	status int
	text   string        // what the registry said, untrusted
	after  time.Duration // Retry-After, 0 when absent
}

func (e *statusError) Error() string {
	msg := fmt.Sprintf("the registry answered %d %s", e.status, http.StatusText(e.status))
	if e.text != "" {
		msg += ": " + model.Printable(e.text)
	}
	return msg
}

// registryText is what the body of an error says to people: the messages of
// its list, else all of it (distribution-spec, "Error Codes").
func registryText(body []byte) string {
	var told struct {
		Errors []struct{ Message string }
	}
	if json.Unmarshal(body, &told) != nil {
		return strings.TrimSpace(string(body))
	}
	var messages []string
	for _, e := range told.Errors {
		if e.Message != "" && !slices.Contains(messages, e.Message) {
			messages = append(messages, e.Message)
		}
	}
	return strings.Join(messages, "; ")
}

// statusOf returns the HTTP status that err is about, or 0.
func statusOf(err error) int {
	var own *statusError
	if errors.As(err, &own) {
		return own.status
	}
	var theirs *transport.Error
	if errors.As(err, &theirs) {
		return theirs.StatusCode
	}
	return 0
}

// registryError classes what went wrong with a registry, for users. Errors
// that are classed already are kept.
func registryError(host string, err error) error {
	var classed *model.Error
	if err == nil || errors.As(err, &classed) {
		return err
	}
	var cert *tls.CertificateVerificationError
	switch status := statusOf(err); {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return model.Errorf(model.CodeUnauthorized, "registry %s refuses: the image is private or does not exist: %w", host, err).
			WithHint("log in first: docker login %s, or podman login %s", host, host)
	case status == http.StatusNotFound:
		return model.Errorf(model.CodeNotFound, "registry %s does not have it: %w", host, err)
	case status == http.StatusTooManyRequests:
		return model.Errorf(model.CodeUnreachable, "registry %s refuses more requests for now: %w", host, err).
			WithHint("wait, or log in for a higher limit: docker login %s", host)
	case errors.As(err, &cert):
		return model.Errorf(model.CodeIntegrity, "registry %s shows a certificate that is not trusted: %w", host, err).
			WithHint("add its authority to this host's certificates")
	case status != 0:
		return model.Errorf(model.CodeUnreachable, "registry %s cannot serve it: %w", host, err).
			WithHint("pull again later: what has arrived is kept")
	}
	return model.Errorf(model.CodeUnreachable, "registry %s cannot be reached: %w", host, err).
		WithHint("check the name and this host's network, then pull again: what has arrived is kept")
}

// causeOf returns err, unless ctx has ended: then that is what happened,
// whatever broke because of it.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	var classed *model.Error
	if errors.As(cause, &classed) || errors.Is(cause, errNoAnswer) {
		return cause
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return model.Errorf(model.CodeTimeout, "stopped: %w", cause)
	}
	return model.Errorf(model.CodeCanceled, "stopped: %w", cause)
}

// storageError classes what went wrong with our own files.
func storageError(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return model.Errorf(model.CodeNoSpace, "the disk or quota is full: %w", err).
			WithHint("free some space: banger image list, banger image delete NAME")
	}
	return err
}

// withSuggestions adds what ref may have meant to a not-found error, and to
// one of a registry that cannot say whether it has the name.
func withSuggestions(err error, ref Ref) error {
	var e *model.Error
	if !errors.As(err, &e) {
		return err
	}
	known := CatalogNames()
	near := model.Nearest(ref.familiar(), known)
	switch {
	case e.Code == model.CodeUnreachable && len(near) > 0:
		return e.WithHint("did you mean %s? If not: %s", strings.Join(near, " or "), e.Hint)
	case e.Code != model.CodeNotFound || e.Hint != "":
		return err
	case len(near) == 0:
		return e.WithHint("check the name and the tag; known without a registry: %s", strings.Join(known, ", "))
	}
	return e.WithHint("did you mean %s?", strings.Join(near, " or "))
}

// tagHint says what to ask for in place of a tag that is not there.
func tagHint(tag string, tags []string) string {
	tags = slices.DeleteFunc(slices.Clone(tags), func(s string) bool { return s == "" })
	if len(tags) == 0 {
		return "nothing there has a tag: leave it out"
	}
	if near := model.Nearest(tag, tags); len(near) > 0 {
		tags = near
	}
	return fmt.Sprintf("it has %q", tags[:min(len(tags), 10)])
}

// contextReader fails when ctx has ended.
type contextReader struct {
	ctx context.Context //nolint:containedctx // a reader has no other way to learn of it
	r   interface{ Read([]byte) (int, error) }
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
