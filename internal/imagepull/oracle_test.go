package imagepull_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/imagepull"
)

// oracleImages is how many random images are compared; BANGER_ORACLE sets
// another number. A batch shares a layout.
const oracleImages, oracleBatch = 1000, 50

// TestOracle flattens random stacks of layers and compares each tree with
// umoci's, and has e2fsck look at each file system. The seed of an image is its
// number: one that fails fails again.
func TestOracle(t *testing.T) {
	t.Parallel()
	umoci, fsck := needs(t, "umoci"), needs(t, "e2fsck")
	if os.Geteuid() != 0 {
		t.Skip("no root: umoci cannot set owners")
	}
	n := oracleImages
	if s := os.Getenv("BANGER_ORACLE"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var files atomic.Int64
	t.Cleanup(func() { // the stacks are worth comparing
		if files.Load() < 5*int64(n) && !t.Failed() {
			t.Errorf("%d files in %d images", files.Load(), n)
		}
	})
	for first := 0; first < n; first += oracleBatch {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			compareBatch(t, umoci, fsck, first, min(first+oracleBatch, n), &files)
		})
	}
}

func compareBatch(t *testing.T, umoci, fsck string, first, end int, files *atomic.Int64) {
	t.Helper()
	l := newLayout(t)
	var images []any
	for seed := first; seed < end; seed++ {
		images = append(images, l.stack(uint64(seed)).with("annotations", object{"org.opencontainers.image.ref.name": fmt.Sprint("s", seed)}))
	}
	l.index(images...)
	if err := os.WriteFile(filepath.Join(l.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r, work := newRig(t, nil), t.TempDir()
	for seed := first; seed < end && !t.Failed(); seed++ {
		root, image := filepath.Join(work, fmt.Sprint(seed)), filepath.Join(work, fmt.Sprint(seed, ".ext4"))
		if out, err := exec.CommandContext(t.Context(), umoci, "raw", "unpack", "--image", fmt.Sprintf("%s:s%d", l.dir, seed), root).CombinedOutput(); err != nil {
			t.Fatalf("seed %d: umoci: %v\n%s", seed, err, out)
		}
		r.build(t, fmt.Sprintf("oci:%s:s%d", l.dir, seed), image)
		want, got := listDir(t, root), listExt4(t, image)
		files.Add(int64(len(want)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: (-umoci +banger)\n%s", seed, diff)
		}
		if out, err := exec.CommandContext(t.Context(), fsck, "-fn", image).CombinedOutput(); err != nil {
			t.Errorf("seed %d: e2fsck: %v\n%s", seed, err, out)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(image); err != nil {
			t.Fatal(err)
		}
	}
}

// stack writes an image of random layers and returns its descriptor.
func (l *layoutDir) stack(seed uint64) object {
	l.t.Helper()
	layers := newStack(seed).layers(l.t)
	var descriptors []any
	for _, b := range layers {
		descriptors = append(descriptors, l.blob(ociLayer, b))
	}
	return l.json(ociManifest, object{"schemaVersion": 2, "config": l.json(ociConfig, l.config("amd64", layers...)), "layers": descriptors})
}

// build makes a small file system of ref.
func (r *rig) build(t *testing.T, ref, path string) {
	t.Helper()
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.Resolve(context.Background(), parsed, "linux/amd64", r.report)
	if err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	if _, err := r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{SizeBytes: 16 << 20, Stage: func(string) {}}, r.report); err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
}
