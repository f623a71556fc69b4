package imagepull_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"banger/internal/ext4"
	"banger/internal/imagepull"
	"banger/internal/model"
)

// FuzzManifest: a manifest or an index that is accepted is JSON which says one
// thing only, and all that it points at can be named.
func FuzzManifest(f *testing.F) {
	good := `{"schemaVersion":2,"mediaType":"` + ociManifest + `","config":{"mediaType":"` + ociConfig + `","digest":"sha256:` + strings.Repeat("a", 64) +
		`","size":2},"layers":[{"mediaType":"` + ociLayer + `","digest":"sha256:` + strings.Repeat("b", 64) + `","size":3}]}`
	f.Add([]byte(good), ociManifest)
	f.Add([]byte(strings.Replace(good, `"layers"`, `"Layers":[],"layers"`, 1)), ociManifest)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"`+ociManifest+`","digest":"sha512:00","size":-1}]}`), ociIndex)
	f.Add([]byte(`{"schemaVersion":1,"fsLayers":[]}`), "")
	f.Fuzz(func(t *testing.T, doc []byte, mediaType string) {
		digests, err := imagepull.ParseManifest(doc, mediaType)
		if err != nil {
			checkClassed(t, err)
			return
		}
		if !json.Valid(doc) || len(digests) == 0 {
			t.Errorf("%q is accepted and points at %q", doc, digests)
		}
		for _, d := range digests {
			if again, err := imagepull.ParseDigest(string(d)); err != nil || again != d {
				t.Errorf("digest %q is accepted: %v", d, err)
			}
		}
	})
}

// FuzzConfig: a configuration that is accepted has the layers that it was
// asked for.
func FuzzConfig(f *testing.F) {
	id := `"sha256:` + strings.Repeat("a", 64) + `"`
	f.Add([]byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[`+id+`]},"config":{"Env":["A=b"],"ExposedPorts":{"80/tcp":{}}}}`), 1)
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":null},"created":"0000-00-00T00:00:00Z"}`), 0)
	f.Add([]byte(`{"os":"windows","rootfs":{"type":"layers","diff_ids":[]}}`), -1)
	f.Fuzz(func(t *testing.T, doc []byte, layers int) {
		config, err := imagepull.ParseConfig(doc, layers)
		if err != nil {
			checkClassed(t, err)
			return
		}
		if _, err := json.Marshal(config); err != nil || layers < 0 {
			t.Errorf("%q is accepted for %d layers: %v", doc, layers, err)
		}
	})
}

// FuzzMerge: two layers of any members give a tree whose every name could
// stand in a directory, or an error that a user can read.
func FuzzMerge(f *testing.F) {
	for _, all := range [][]attack{truncations(), fieldAttacks(), gnuAttacks(), sparseAttacks(), orderAttacks(f)} {
		for _, a := range all {
			if len(a.blob) < 8<<10 {
				f.Add(a.lower, a.blob)
			}
		}
	}
	limits := imagepull.DefaultLimits()
	limits.OutputBytes, limits.Lookups = 16<<20, 1<<20
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		root, contents, err := imagepull.FlattenArchives(context.Background(), limits, model.Discard, lower, upper)
		if err != nil {
			checkClassed(t, err)
			return
		}
		walk(root, "", func(path string, n *ext4.Node) {
			name := path[strings.LastIndexByte(path, '/')+1:]
			if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsRune(name, 0) {
				t.Errorf("a name that cannot be: %q", path)
			}
			if contents.Of(n) != nil && n.Body.Size() != int64(len(contents.Of(n))) {
				t.Errorf("%q has %d bytes of %d", path, len(contents.Of(n)), n.Body.Size())
			}
		})
	})
}

// checkClassed wants an error that says what kind it is of and is short.
func checkClassed(t *testing.T, err error) {
	t.Helper()
	if code := model.CodeOf(err); code == "" || code == model.CodeInternal {
		t.Errorf("error %v has the code %q", err, code)
	}
	if n := len(err.Error()); n > 8<<10 {
		t.Errorf("an error of %d bytes: %.200s", n, err)
	}
}
