package web

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"banger/internal/model"
)

func get(t *testing.T, url string, stall time.Duration) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport{inner: http.DefaultTransport, stall: stall}}).Do(req)
	if err != nil {
		var known *model.Error
		if errors.As(err, &known) {
			return known
		}
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func TestTransport(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("some"))
		if r.URL.Path == "/stalls" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	for url, c := range map[string]struct {
		stall time.Duration
		code  model.Code
	}{
		server.URL + "/whole":       {time.Minute, ""},
		server.URL + "/stalls":      {50 * time.Millisecond, model.CodeUnreachable},
		"http://kernels.invalid/it": {time.Minute, model.CodeUnsupported},
	} {
		if err := get(t, url, c.stall); model.CodeOf(err) != c.code {
			t.Errorf("%s: got %v of code %q, want %q", url, err, model.CodeOf(err), c.code)
		}
	}
}
