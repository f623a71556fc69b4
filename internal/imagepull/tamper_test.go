package imagepull_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// tamperings is how many single bytes of blobs are changed, one at a time.
const tamperings = 10_000

// TestTampering changes random bytes of the manifest, the configuration and
// the layers of an image whose digest is known. No change may go unseen, and
// none may leave a root filesystem or a blob in the cache.
func TestTampering(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	lower := archive(t, dir("d"), file("d/a", incompressible(3000)), file("b", "1"), hardlink("c", "b"))
	upper := archive(t, gone(".wh.b"), file("e", strings.Repeat("text ", 500)))
	layers := []any{l.blob(ociLayer, lower), l.blob(ociLayer+"+gzip", gzipped(t, upper))}
	manifest := l.json(ociManifest, object{"schemaVersion": 2, "config": l.json(ociConfig, l.config("amd64", lower, upper)), "layers": layers})
	l.index(manifest)
	newTamperer(t, l, 0).pull(t, true, "as it is")

	const workers = 4
	for w := range workers {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			t.Parallel()
			newTamperer(t, l, uint64(w)).run(t, tamperings/workers)
		})
	}
}

// tamperer has a copy of a layout of its own.
type tamperer struct {
	*rand.Rand
	dir   string
	blobs []string
}

func newTamperer(t *testing.T, l *layoutDir, seed uint64) *tamperer {
	t.Helper()
	m := &tamperer{Rand: rand.New(rand.NewPCG(seed, 3)), dir: filepath.Join(t.TempDir(), "layout")}
	if err := os.CopyFS(m.dir, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.blobs, err = filepath.Glob(filepath.Join(m.dir, "blobs", "sha256", "*")); err != nil || len(m.blobs) != 4 {
		t.Fatal(m.blobs, err)
	}
	return m
}

func (m *tamperer) run(t *testing.T, n int) {
	t.Helper()
	for i := 0; i < n && !t.Failed(); i++ {
		path := m.blobs[m.IntN(len(m.blobs))] // small ones as often as large ones
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad, at := bytes.Clone(good), m.IntN(len(good))
		bad[at] ^= byte(1 + m.IntN(255))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		m.pull(t, false, fmt.Sprintf("byte %d of %s is %#x in place of %#x", at, filepath.Base(path), bad[at], good[at]))
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// pull tries to make a root filesystem with a cache of its own.
func (m *tamperer) pull(t *testing.T, good bool, what string) {
	t.Helper()
	work, err := os.MkdirTemp(filepath.Dir(m.dir), "") //nolint:usetesting // ten thousand would be kept until the end
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	cache, err := imagepull.OpenCache(filepath.Join(work, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := imagepull.ParseRef("oci:" + m.dir)
	if err != nil {
		t.Fatal(err)
	}
	rootfs := filepath.Join(work, "rootfs.ext4")
	puller := imagepull.New(imagepull.Config{Cache: cache, Keychain: noKeys{}})
	img, err := puller.Resolve(context.Background(), ref, "linux/amd64", model.Discard)
	if err == nil {
		_, err = puller.BuildExt4(context.Background(), img, rootfs, imagepull.BuildOptions{SizeBytes: 16 << 20, Stage: func(string) {}}, model.Discard)
	}
	_, statErr := os.Stat(rootfs)
	switch {
	case good && err != nil:
		t.Errorf("%s: %v", what, err)
	case !good && (err == nil || statErr == nil):
		t.Errorf("%s: error %v, root filesystem: %v", what, err, statErr)
	case !good && model.CodeOf(err) == model.CodeInternal:
		t.Errorf("%s: no clear error: %v", what, err)
	}
}
