package imagepull_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.uber.org/goleak"

	"banger/internal/imagepull"
	"banger/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fault answers a request in the registry's place, or returns false.
type fault func(w http.ResponseWriter, r *http.Request) bool

// testRegistry is a registry in this process that counts requests and can
// misbehave.
type testRegistry struct {
	host  string
	inner http.Handler
	fault atomic.Pointer[fault]

	mu   sync.Mutex
	gets map[string]int // by path
}

func newTestRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{inner: registry.New(registry.Logger(log.New(io.Discard, "", 0))), gets: map[string]int{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *testRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	if req.Method == http.MethodGet {
		r.gets[req.URL.Path]++
	}
	r.mu.Unlock()
	if f := r.fault.Load(); f != nil && (*f)(w, req) {
		return
	}
	r.inner.ServeHTTP(w, req)
}

func (r *testRegistry) misbehave(f fault) { r.fault.Store(&f) }

func (r *testRegistry) blobGets() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, count := range r.gets {
		if strings.Contains(path, "/blobs/") {
			n += count
		}
	}
	return n
}

// push makes an image of archives and pushes it as HOST/team/app:v1.
func (r *testRegistry) push(t *testing.T, archives ...[]byte) string {
	t.Helper()
	ref := r.host + "/team/app:v1"
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, newImage(t, archives...)); err != nil {
		t.Fatal(err)
	}
	as[*http.Transport](http.DefaultTransport).CloseIdleConnections()
	return ref
}

func newImage(t *testing.T, archives ...[]byte) v1.Image {
	t.Helper()
	oci := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(oci, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Cmd: []string{"sh"}, Env: []string{"A=b"}, User: "1000", WorkingDir: "/w",
			ExposedPorts: map[string]struct{}{"80/tcp": {}, "22/tcp": {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range archives {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(a)), nil },
			tarball.WithMediaType(types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

// rig is a puller with its own cache.
type rig struct {
	*imagepull.Puller
	dir   string
	notes []string
	mu    sync.Mutex
}

func newRig(t *testing.T, change func(*imagepull.Config)) *rig {
	t.Helper()
	return newRigIn(t, t.TempDir(), change)
}

func newRigIn(t *testing.T, dir string, change func(*imagepull.Config)) *rig {
	t.Helper()
	cache, err := imagepull.OpenCache(filepath.Join(dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := imagepull.Config{Cache: cache, Transport: transport, Backoff: time.Millisecond, Keychain: noKeys{}}
	if change != nil {
		change(&cfg)
	}
	return &rig{Puller: imagepull.New(cfg), dir: dir}
}

func (r *rig) report(p model.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Note != "" {
		r.notes = append(r.notes, p.Note)
	}
}

// pull resolves ref and builds it.
func (r *rig) pull(ctx context.Context, t *testing.T, ref string) (*imagepull.Image, imagepull.Built, error) {
	t.Helper()
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.Resolve(ctx, parsed, "linux/amd64", r.report)
	if err != nil {
		return nil, imagepull.Built{}, err
	}
	path := filepath.Join(r.dir, "rootfs-"+model.NewID())
	built, err := r.BuildExt4(ctx, img, path, imagepull.BuildOptions{Stage: func(string) {}}, r.report)
	if _, statErr := os.Stat(path); (statErr == nil) != (err == nil) {
		t.Errorf("build: %v, file: %v", err, statErr)
	}
	return img, built, err
}

// files returns the names of the files below a directory of the cache.
func (r *rig) files(t *testing.T, sub string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.dir, "oci", sub, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// incompressible returns bytes that no compression shortens.
func incompressible(n int) string {
	var b []byte
	for sum := sha256.Sum256(nil); len(b) < n; sum = sha256.Sum256(sum[:]) {
		b = append(b, sum[:]...)
	}
	return string(b[:n])
}

func isLayer(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && r.Header.Get("Accept") == ""
}

func isManifest(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/")
}

// answer records what the registry answers.
func (r *testRegistry) answer(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.inner.ServeHTTP(rec, req)
	return rec
}
