package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/registrytest"
)

// crowd is how many clients pull one image at once.
const crowd = 64

// pushRandom pushes an image of layers that are motd archives of so many
// random bytes.
func pushRandom(t *testing.T, reg *registrytest.Registry, seed uint64, sizes ...int) string {
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
	return reg.Push(t, "v1", img)
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
			reg := registrytest.New(t)
			ref := pushRandom(t, reg, 1, 300_000, 5000)
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
			gets := reg.BlobGets()
			if len(gets) != 3 { // a configuration and two layers
				t.Errorf("blobs asked for: %v", gets)
			}
			for path, n := range gets {
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
	reg := registrytest.New(t)
	const size = 4 << 20
	ref := pushRandom(t, reg, 2, size)
	arrived := make(chan struct{})
	var once sync.Once
	watch := func(p model.Progress) {
		if p.Item != nil && p.Item.Current >= size/4 {
			once.Do(func() { close(arrived) })
		}
	}
	var mu sync.Mutex
	var starts []int // where requests for the layer began
	reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		body, from := reg.Whole(r), 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err != nil && len(body) < size {
			return false // not the layer
		}
		mu.Lock()
		starts = append(starts, from)
		mu.Unlock()
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
	})
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
	if len(starts) != 2 || starts[0] != 0 || starts[1] < size/4 {
		t.Errorf("the layer was asked for from %v on", starts)
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
	reg := registrytest.New(t)
	ref := pushRandom(t, reg, 3, 1000)
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
	asked := reg.BlobGets()
	again := pull("again")
	if pulls.builds != 1 || !maps.Equal(reg.BlobGets(), asked) || again.Source.ManifestDigest != first.Source.ManifestDigest {
		t.Errorf("%d builds, blobs %v", pulls.builds, reg.BlobGets())
	}
	pushRandom(t, reg, 4, 1000)
	moved := pull("moved")
	if pulls.builds != 2 || moved.Source.ManifestDigest == first.Source.ManifestDigest {
		t.Errorf("after the tag moved: %d builds, %s", pulls.builds, moved.Source.ManifestDigest)
	}
	if img, err := r.ShowImage(context.Background(), rpc.NameParams{Name: "first"}); err != nil || img.Source.ManifestDigest != first.Source.ManifestDigest {
		t.Errorf("the first image: %+v, %v", img.Source, err)
	}
}
