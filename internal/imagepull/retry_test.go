package imagepull_test

import (
	"net/http"
	"testing"
	"time"

	"banger/internal/imagepull"
)

// A registry may ask for patience, not for eternity.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "86400": 30 * time.Second, "99999999999999999999": 0, "-5": 0, "soon": 0, "1.5": 0,
		"Mon, 01 Jan 2001 00:00:00 GMT": 0, "Fri, 01 Jan 2100 00:00:00 GMT": 30 * time.Second,
	} {
		if got := imagepull.RetryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
