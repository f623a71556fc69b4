package imagepull_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/internal/imagepull"
	"banger/internal/model"
)

func digests(blobs []model.CachedBlob) []string {
	var list []string
	for _, b := range blobs {
		list = append(list, b.Digest)
	}
	return list
}

// cachedRig is a rig whose cache holds an image of two layers, and its cache.
func cachedRig(t *testing.T) (*rig, *imagepull.Cache, *imagepull.Image, *testRegistry, string) {
	t.Helper()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(50_000))), archive(t, file("b", incompressible(10_000))))
	var cache *imagepull.Cache
	r := newRig(t, func(cfg *imagepull.Config) { cache = cfg.Cache })
	img, _, err := r.pull(context.Background(), t, ref)
	if err != nil {
		t.Fatal(err)
	}
	return r, cache, img, reg, ref
}

func TestCacheListAndPrune(t *testing.T) {
	t.Parallel()
	r, cache, img, _, ref := cachedRig(t)
	notOurs := filepath.Join(r.dir, "oci", "blobs", "sha256", "notes")
	if err := os.WriteFile(notOurs, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(r.blob(img.Source.Layers[0]), old, old); err != nil {
		t.Fatal(err)
	}
	blobs, err := cache.List()
	if err != nil || len(blobs) != 4 || blobs[3].Digest != img.Source.Layers[0] || blobs[3].SizeBytes < 50_000 {
		t.Fatalf("list %+v, %v", blobs, err)
	}
	removed, err := cache.Prune(context.Background(), 40_000)
	if err != nil || !slices.Equal(digests(removed), img.Source.Layers[:1]) {
		t.Errorf("pruned to 40 kB: %v, %v", digests(removed), err)
	}
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Errorf("pull after prune: %v", err)
	}
	if removed, err = cache.Prune(context.Background(), 0); err != nil || len(removed) != 4 {
		t.Errorf("pruned to nothing: %v, %v", digests(removed), err)
	}
	if _, err := os.Stat(notOurs); err != nil {
		t.Errorf("a file that is no blob: %v", err)
	}
}

// A blob that is being fetched, and parts of it, stay.
func TestPruneLeavesWhatIsUsed(t *testing.T) {
	t.Parallel()
	r, cache, img, reg, ref := cachedRig(t)
	layer := img.Source.Layers[0]
	if err := os.Remove(r.blob(layer)); err != nil {
		t.Fatal(err)
	}
	asked, answer := make(chan struct{}), make(chan struct{})
	reg.Misbehave(func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.HasSuffix(req.URL.Path, layer) {
			close(asked)
			<-answer
		}
		return false
	})
	done := make(chan error, 1)
	go func() {
		_, _, err := r.pull(context.Background(), t, ref)
		done <- err
	}()
	<-asked
	blobs, err := cache.List()
	used := slices.IndexFunc(blobs, func(b model.CachedBlob) bool { return b.Digest == layer })
	if err != nil || used < 0 || !blobs[used].InUse || !blobs[used].Partial {
		t.Errorf("list %+v, %v", blobs, err)
	}
	removed, err := cache.Prune(context.Background(), 0)
	if err != nil || slices.Contains(digests(removed), layer) {
		t.Errorf("removed %v, %v", digests(removed), err)
	}
	close(answer)
	if err := <-done; err != nil {
		t.Errorf("the pull under way: %v", err)
	}
	if _, err := os.Stat(r.blob(layer)); err != nil {
		t.Errorf("the layer: %v", err)
	}
}

func TestCacheVerify(t *testing.T) {
	t.Parallel()
	r, cache, img, _, ref := cachedRig(t)
	silent := func(model.Progress) {}
	if damaged, err := cache.Verify(context.Background(), silent); err != nil || len(damaged) != 0 {
		t.Errorf("sound: %v, %v", damaged, err)
	}
	layer := img.Source.Layers[1]
	b, err := os.ReadFile(r.blob(layer))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(r.blob(layer), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if damaged, err := cache.Verify(context.Background(), silent); err != nil || !slices.Equal(digests(damaged), []string{layer}) {
		t.Errorf("damaged: %v, %v", damaged, err)
	}
	if _, err := os.Stat(r.blob(layer)); err == nil {
		t.Error("the damaged blob is still there")
	}
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := cache.Verify(ctx, silent); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("canceled: %v", err)
	}
}
