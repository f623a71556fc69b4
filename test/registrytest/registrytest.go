// Package registrytest is an OCI registry in the test's own process. It counts
// what it is asked for and can be made to misbehave.
package registrytest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Fault answers a request in the registry's place, or returns false.
type Fault func(w http.ResponseWriter, r *http.Request) (answered bool)

// Registry is a registry on the loopback that keeps all in memory.
type Registry struct {
	// Host is its address, host:port.
	Host string

	good  http.Handler
	fault atomic.Pointer[Fault]

	mu   sync.Mutex
	gets map[string]int // by path
}

// Handler returns a registry that is empty and quiet, to be served by the
// caller.
func Handler() http.Handler {
	return registry.New(registry.Logger(log.New(io.Discard, "", 0)))
}

// New starts a registry that ends with the test.
func New(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{good: Handler(), gets: map[string]int{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// ServeHTTP counts the request, and lets a fault answer it before the registry.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet {
		r.mu.Lock()
		r.gets[req.URL.Path]++
		r.mu.Unlock()
	}
	if f := r.fault.Load(); f != nil && (*f)(w, req) {
		return
	}
	r.good.ServeHTTP(w, req)
}

// Misbehave lets f answer from now on, in the place of a fault before it.
func (r *Registry) Misbehave(f Fault) { r.fault.Store(&f) }

// Answer returns what the registry says to a request, past faults and counts.
func (r *Registry) Answer(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.good.ServeHTTP(rec, req)
	return rec
}

// Whole returns what the registry says to a GET of the path of req, whatever
// range and form that one asks for.
func (r *Registry) Whole(req *http.Request) []byte {
	return r.Answer(httptest.NewRequestWithContext(req.Context(), http.MethodGet, req.URL.Path, nil)).Body.Bytes()
}

// BlobGets returns how often each blob was asked for, by path.
func (r *Registry) BlobGets() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]int{}
	for path, n := range r.gets {
		if strings.Contains(path, "/blobs/") {
			found[path] = n
		}
	}
	return found
}

// Push puts img into repository team/app and returns its reference.
func (r *Registry) Push(t testing.TB, tag string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(r.Host + "/team/app:" + tag)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	if err := remote.Write(ref, img, remote.WithTransport(transport)); err != nil {
		t.Fatal(err)
	}
	return ref.Name()
}
