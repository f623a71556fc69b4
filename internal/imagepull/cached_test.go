package imagepull_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// buildCached builds the image of a manifest in the cache.
func (r *rig) buildCached(t *testing.T, digest string) (imagepull.Built, error) {
	t.Helper()
	img, err := r.ResolveCached(context.Background(), digest, "linux/amd64")
	if err != nil {
		return imagepull.Built{}, err
	}
	path := filepath.Join(r.dir, "rootfs-"+model.NewID())
	return r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{Stage: func(string) {}}, r.report)
}

func TestResolveCached(t *testing.T) {
	t.Parallel()
	r, _, _, _, ref := cachedRig(t)
	img, pulled, err := r.pull(context.Background(), t, ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, layer := img.Source.ManifestDigest, img.Source.Layers[0]
	built, err := r.buildCached(t, manifest)
	if err != nil || built.Digest != pulled.Digest {
		t.Errorf("%+v, %v; want the filesystem that was pulled, %s", built, err, pulled.Digest)
	}
	good, err := os.ReadFile(r.blob(layer))
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), good...)
	bad[len(bad)/2] ^= 1
	if err := os.WriteFile(r.blob(layer), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.buildCached(t, manifest); model.CodeOf(err) != model.CodeIntegrity {
		t.Errorf("with a damaged layer: %v", err)
	}
	for what, digest := range map[string]string{"a layer that has left": manifest, "a manifest that is not there": "sha256:" + id64} {
		if _, err := r.buildCached(t, digest); model.CodeOf(err) != model.CodeConflict {
			t.Errorf("%s: %v; want a conflict", what, err)
		}
	}
	if _, err := r.buildCached(t, "../../x"); err == nil {
		t.Error("a digest that is none was taken")
	}
}

const id64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
