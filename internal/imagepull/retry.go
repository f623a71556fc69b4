package imagepull

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"banger/internal/model"
)

const (
	maxAttempts   = 5
	maxRetryAfter = 30 * time.Second
)

// backoff spaces attempts: base, twice that, and so on, with jitter.
type backoff struct{ base time.Duration }

// retry calls fn until it succeeds, fails for good or has failed maxAttempts
// times. fn returns whether it got anywhere: that gives it fresh attempts.
func (b backoff) retry(ctx context.Context, fn func() (progress bool, err error)) error {
	for attempt := 1; ; attempt++ {
		progress, err := fn()
		if err == nil || !temporary(err) {
			return err
		}
		if progress {
			attempt = 1
		}
		if attempt == maxAttempts {
			return err
		}
		if ctxErr := b.pause(ctx, attempt, err); ctxErr != nil {
			return errors.Join(ctxErr, err)
		}
	}
}

// pause waits before the next attempt, as long as the registry asks for.
func (b backoff) pause(ctx context.Context, attempt int, err error) error {
	wait := b.base << (attempt - 1)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // spreads retries, keeps no secret
	var status *statusError
	if errors.As(err, &status) {
		wait = max(wait, min(status.after, maxRetryAfter))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// temporary tells errors that may not come again: some HTTP statuses, and
// connections that break. A host that cannot be reached at all is left at once.
func temporary(err error) bool {
	var classed *model.Error
	var cert *tls.CertificateVerificationError
	if errors.As(err, &classed) || errors.As(err, &cert) || isDialError(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNoAnswer) {
		return false
	}
	status := statusOf(err)
	return status == 0 || slices.Contains([]int{
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, status)
}

// retryAfter reads the Retry-After header (RFC 9110, 10.2.3).
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds >= 0 {
		return min(time.Duration(min(seconds, 3600))*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
