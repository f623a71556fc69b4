package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

// crowd is how many clients pull one image at once.
const crowd = 64

// countingRegistry counts the requests for each blob and may hold them up.
type countingRegistry struct {
	host  string
	inner http.Handler

	mu   sync.Mutex
	gets map[string]int // by path
	from []int          // where requests that were held up began
	hold func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

func newCountingRegistry(t *testing.T) *countingRegistry {
	t.Helper()
	c := &countingRegistry{inner: registry.New(registry.Logger(log.New(io.Discard, "", 0))), gets: map[string]int{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.host = strings.TrimPrefix(server.URL, "http://")
	return c
}

func (c *countingRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
		c.inner.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	c.inner.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, r.URL.Path, nil)) // it knows no open ranges
	c.mu.Lock()
	c.gets[r.URL.Path]++
	hold := c.hold
	c.mu.Unlock()
	if hold != nil && hold(w, r, rec.Body.Bytes()) {
		return
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// push makes an image of layers that are motd archives of so many random bytes.
func (c *countingRegistry) push(t *testing.T, tag string, seed uint64, sizes ...int) string {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	random := rand.New(rand.NewPCG(seed, 1))
	for i, size := range sizes {
		var text bytes.Buffer
		for text.Len() < size {
			fmt.Fprintf(&text, "%016x", random.Uint64())
		}
		var err error
		layer := static.NewLayer(motdArchive(t, fmt.Sprint(i)+text.String()), types.OCIUncompressedLayer)
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	ref := c.host + "/team/app:" + tag
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	if err := remote.Write(parsed, img, remote.WithTransport(transport)); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gets = map[string]int{}
	return ref
}

// noKeys is an empty keychain.
type noKeys struct{}

func (noKeys) ResolveContext(context.Context, authn.Resource) (authn.Authenticator, error) {
	return authn.Anonymous, nil
}

// counted is a puller that counts builds.
type counted struct {
	*imagepull.Puller
	mu     sync.Mutex
	builds int
}

func (c *counted) BuildExt4(ctx context.Context, img *imagepull.Image, path string, opt imagepull.BuildOptions, report model.Report) (imagepull.Built, error) {
	c.mu.Lock()
	c.builds++
	c.mu.Unlock()
	return c.Puller.BuildExt4(ctx, img, path, opt, report)
}

// newRegistryRig is a service that pulls for real, and counts.
func newRegistryRig(t *testing.T) (r *rig, pulls *counted, cacheDir string) {
	t.Helper()
	cacheDir = filepath.Join(t.TempDir(), "oci")
	cache, err := imagepull.OpenCache(cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	limits := imagepull.DefaultLimits()
	limits.Stall = 20 * time.Second
	pulls = &counted{Puller: imagepull.New(imagepull.Config{Cache: cache, Transport: transport, Keychain: noKeys{}, Limits: limits})}
	return newRig(t, func(c *image.Config) { c.Puller = pulls }), pulls, cacheDir
}

// TestCrowdFetchesOnce lets many clients pull one image at once, under one
// name and under many.
func TestCrowdFetchesOnce(t *testing.T) {
	t.Parallel()
	for label, name := range map[string]func(i int) string{
		"one name":   func(int) string { return "app" },
		"many names": func(i int) string { return fmt.Sprintf("app-%d", i) },
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			reg := newCountingRegistry(t)
			ref := reg.push(t, "v1", 1, 300_000, 5000)
			r, pulls, _ := newRegistryRig(t)
			ids := sync.Map{}
			var wg sync.WaitGroup
			for i := range crowd {
				wg.Go(func() {
					img, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: ref, Name: name(i), Platform: "linux/amd64"}, model.Discard)
					// A call that comes when all is done finds its name taken.
					if err != nil && model.CodeOf(err) != model.CodeConflict {
						t.Error(err)
					}
					ids.Store(img.ID, true)
				})
			}
			wg.Wait()
			if len(reg.gets) != 3 { // a configuration and two layers
				t.Errorf("blobs asked for: %v", reg.gets)
			}
			for path, n := range reg.gets {
				if n != 1 {
					t.Errorf("%s was asked for %d times", path, n)
				}
			}
			if pulls.builds != 1 {
				t.Errorf("%d builds", pulls.builds)
			}
		})
	}
}

// TestCrowdThatLeaves cancels all clients but one while the layer is half
// there: the last one gets it whole, and what had arrived is not sent again.
func TestCrowdThatLeaves(t *testing.T) {
	t.Parallel()
	reg := newCountingRegistry(t)
	const size = 4 << 20
	ref := reg.push(t, "v1", 2, size)
	arrived := make(chan struct{})
	var once sync.Once
	watch := func(p model.Progress) {
		if p.Item != nil && p.Item.Current >= size/4 {
			once.Do(func() { close(arrived) })
		}
	}
	reg.hold = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err != nil && len(body) < size {
			return false // the configuration
		}
		reg.mu.Lock()
		reg.from = append(reg.from, from)
		reg.mu.Unlock()
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[from:])
			return true
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
	r, _, cacheDir := newRegistryRig(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var others sync.WaitGroup
	var canceled atomic.Int64
	for range crowd - 1 {
		others.Go(func() {
			_, err := r.PullImage(ctx, rpc.ImagePullParams{Ref: ref, Name: "app", Platform: "linux/amd64"}, watch)
			switch model.CodeOf(err) {
			case "": // the last one was done before this one looked up
			case model.CodeCanceled:
				canceled.Add(1)
			default:
				t.Errorf("canceled: %v (%s)", err, model.CodeOf(err))
			}
		})
	}
	<-arrived
	var last sync.WaitGroup
	last.Go(func() {
		if _, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: ref, Name: "app", Platform: "linux/amd64"}, model.Discard); err != nil {
			t.Error(err)
		}
	})
	cancel(errors.New("enough"))
	others.Wait()
	last.Wait()

	if canceled.Load() == 0 {
		t.Error("nobody was canceled")
	}
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if len(reg.from) != 2 || reg.from[0] != 0 || reg.from[1] < size/4 {
		t.Errorf("the layer was asked for from %v on", reg.from)
	}
	if got := r.onDisk(t); len(got) != 3 {
		t.Errorf("on disk: %v", got)
	}
	if partial, _ := filepath.Glob(filepath.Join(cacheDir, "ingest", "*")); len(partial) > 0 {
		t.Errorf("left: %v", partial)
	}
	whole := 0
	err := r.TreeImage(context.Background(), rpc.ImageTreeParams{Name: "app", Path: "/etc/motd"}, func(e model.TreeEntry) error {
		whole = int(e.Size)
		return nil
	})
	if err != nil || whole < size {
		t.Errorf("the image has %d bytes, %v", whole, err)
	}
}

// A digest that has been built is not built again; a tag that has moved is
// seen.
func TestBuiltDigestsAndMovedTags(t *testing.T) {
	t.Parallel()
	reg := newCountingRegistry(t)
	ref := reg.push(t, "v1", 3, 1000)
	r, pulls, _ := newRegistryRig(t)
	pull := func(name string) model.Image {
		t.Helper()
		img, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: ref, Name: name, Platform: "linux/amd64"}, model.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	first := pull("first")
	asked := len(reg.gets)
	again := pull("again")
	if pulls.builds != 1 || len(reg.gets) != asked || again.Source.ManifestDigest != first.Source.ManifestDigest {
		t.Errorf("%d builds, blobs %v", pulls.builds, reg.gets)
	}
	reg.push(t, "v1", 4, 1000)
	moved := pull("moved")
	if pulls.builds != 2 || moved.Source.ManifestDigest == first.Source.ManifestDigest {
		t.Errorf("after the tag moved: %d builds, %s", pulls.builds, moved.Source.ManifestDigest)
	}
	if img, err := r.ShowImage(context.Background(), rpc.NameParams{Name: "first"}); err != nil || img.Source.ManifestDigest != first.Source.ManifestDigest {
		t.Errorf("the first image: %+v, %v", img.Source, err)
	}
}
