package imagepull_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.uber.org/goleak"

	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/test/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fault = registrytest.Fault

// testRegistry makes its images of archives.
type testRegistry struct{ *registrytest.Registry }

func newTestRegistry(t *testing.T) *testRegistry {
	t.Helper()
	return &testRegistry{registrytest.New(t)}
}

// push makes an image of archives and pushes it as HOST/team/app:v1.
func (r *testRegistry) push(t *testing.T, archives ...[]byte) string {
	t.Helper()
	return r.Push(t, "v1", newImage(t, archives...))
}

// blobGets returns how many blobs were asked for, each as often as it was.
func (r *testRegistry) blobGets() (n int) {
	for _, count := range r.BlobGets() {
		n += count
	}
	return n
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
