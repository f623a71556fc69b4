package imagepull_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/imagepull"
	"banger/internal/model"
)

const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// object is a JSON object to be.
type object map[string]any

// layoutDir is an OCI image layout that is written by hand, so that it can be
// wrong.
type layoutDir struct {
	t   *testing.T
	dir string
}

func newLayout(t *testing.T) *layoutDir {
	t.Helper()
	l := &layoutDir{t: t, dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(l.dir, "blobs", "sha256"), 0o700); err != nil {
		t.Fatal(err)
	}
	return l
}

// blob writes b and returns its descriptor.
func (l *layoutDir) blob(mediaType string, b []byte) object {
	l.t.Helper()
	sum := fmt.Sprintf("%x", sha256.Sum256(b))
	if err := os.WriteFile(filepath.Join(l.dir, "blobs", "sha256", sum), b, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return object{"mediaType": mediaType, "digest": "sha256:" + sum, "size": len(b)}
}

// json writes v as a blob; a string is written as it is.
func (l *layoutDir) json(mediaType string, v any) object {
	l.t.Helper()
	if s, ok := v.(string); ok {
		return l.blob(mediaType, []byte(s))
	}
	return l.blob(mediaType, marshal(l.t, v))
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// index writes index.json.
func (l *layoutDir) index(descriptors ...any) {
	l.t.Helper()
	b := marshal(l.t, object{"schemaVersion": 2, "manifests": descriptors})
	if err := os.WriteFile(filepath.Join(l.dir, "index.json"), b, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// config returns a configuration for layers that are plain archives.
func (l *layoutDir) config(arch string, layers ...[]byte) object {
	ids := []string{}
	for _, b := range layers {
		ids = append(ids, fmt.Sprintf("sha256:%x", sha256.Sum256(b)))
	}
	return object{"os": "linux", "architecture": arch, "rootfs": object{"type": "layers", "diff_ids": ids}, "config": object{"Cmd": []string{arch}}}
}

// image writes an image of one layer and returns its manifest.
func (l *layoutDir) image(arch string) object {
	a := archive(l.t, file("arch", arch))
	return object{"schemaVersion": 2, "mediaType": ociManifest,
		"config": l.json(ociConfig, l.config(arch, a)), "layers": []any{l.blob(ociLayer, a)}}
}

func (o object) with(key string, value any) object {
	changed := object{}
	for k, v := range o {
		changed[k] = v
	}
	if changed[key] = value; value == nil {
		delete(changed, key)
	}
	return changed
}

func platform(arch string) object { return object{"os": "linux", "architecture": arch} }

// Rows 51 to 57: what a manifest, an index and a configuration may say.
func TestManifests(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		make func(l *layoutDir) object // descriptor of the root document
		code model.Code                // "": the image for amd64 is found
		says string
	}{
		{"a manifest", func(l *layoutDir) object { return l.json(ociManifest, l.image("amd64")) }, "", ""},
		{"51 too large", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("x", strings.Repeat("x", 4<<20)))
		}, model.CodeLimit, "manifest_bytes"},
		{"52 index, the second matches", func(l *layoutDir) object {
			return l.json(ociIndex, object{"schemaVersion": 2, "manifests": []any{
				l.json(ociManifest, l.image("arm64")).with("platform", platform("arm64")),
				l.json(ociManifest, l.image("amd64")).with("platform", platform("amd64"))}})
		}, "", ""},
		{"52 index without platforms", func(l *layoutDir) object {
			return l.json(ociIndex, object{"schemaVersion": 2, "manifests": []any{l.json(ociManifest, l.image("arm64")), l.json(ociManifest, l.image("amd64"))}})
		}, "", ""},
		{"52 no match", func(l *layoutDir) object {
			return l.json(ociIndex, object{"schemaVersion": 2, "manifests": []any{
				l.json(ociManifest, l.image("arm64")).with("platform", platform("arm64")),
				l.json(ociManifest, l.image("s390x")).with("platform", platform("s390x"))}})
		}, model.CodeNotFound, "linux/arm64, linux/s390x"},
		{"52 other CPU", func(l *layoutDir) object { return l.json(ociManifest, l.image("riscv64")) }, model.CodeNotFound, "linux/riscv64"},
		{"52 nested", func(l *layoutDir) object { return nest(l, 4) }, "", ""},
		{"52 nested too deep", func(l *layoutDir) object { return nest(l, 5) }, model.CodeLimit, "nested"},
		{"52 attestation only", func(l *layoutDir) object {
			return l.json(ociIndex, object{"schemaVersion": 2, "manifests": []any{
				l.json(ociManifest, "junk").with("platform", object{"os": "unknown", "architecture": "unknown"})}})
		}, model.CodeNotFound, "nothing that boots"},
		{"52 empty index", func(l *layoutDir) object { return l.json(ociIndex, object{"schemaVersion": 2, "manifests": []any{}}) }, model.CodeIntegrity, "empty"},
		{"53 no layers", func(l *layoutDir) object { return l.json(ociManifest, l.image("amd64").with("layers", []any{})) }, model.CodeIntegrity, "no layers"},
		{"53 null layers", func(l *layoutDir) object {
			m := l.image("amd64")
			m["layers"] = nil
			return l.json(ociManifest, m)
		}, model.CodeIntegrity, "no layers"},
		{"53 no config", func(l *layoutDir) object { return l.json(ociManifest, l.image("amd64").with("config", nil)) }, model.CodeIntegrity, "no configuration"},
		{"53 count of layers", func(l *layoutDir) object {
			m := l.image("amd64")
			return l.json(ociManifest, m.with("layers", append(layersOf(m), layersOf(m)...)))
		}, model.CodeIntegrity, "2 layers"},
		{"53 too many layers", func(l *layoutDir) object {
			m := l.image("amd64")
			return l.json(ociManifest, m.with("layers", bytesRepeat(layersOf(m)[0], 513)))
		}, model.CodeLimit, "layers"},
		{"54 schema 1", func(l *layoutDir) object {
			return l.json("application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1,"fsLayers":[]}`)
		}, model.CodeUnsupported, "schema 1"},
		{"54 unknown layer type", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("layers", []any{l.blob("application/x-squashfs", nil)}))
		}, model.CodeUnsupported, "squashfs"},
		{"54 encrypted layer", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("layers", []any{l.blob(ociLayer+"+gzip+encrypted", nil)}))
		}, model.CodeUnsupported, "encrypted"},
		{"54 unknown root filesystem", func(l *layoutDir) object {
			c := l.config("amd64").with("rootfs", object{"type": "disk", "diff_ids": []any{}})
			return l.json(ociManifest, l.image("amd64").with("config", l.json(ociConfig, c)))
		}, model.CodeUnsupported, "disk"},
		{"54 artifact", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("config", l.json("application/vnd.example+json", "{}")))
		}, model.CodeUnsupported, "artifact"},
		{"54 for another system", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("config", l.json(ociConfig, l.config("amd64").with("os", "windows"))))
		}, model.CodeUnsupported, "windows"},
		{"55 layers and manifests", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("manifests", []any{l.json(ociManifest, l.image("amd64"))}))
		}, model.CodeIntegrity, "both"},
		{"55 a name twice", func(l *layoutDir) object {
			b := string(marshal(l.t, l.image("amd64")))
			return l.json(ociManifest, strings.Replace(b, "{", `{"layers":[],`, 1))
		}, model.CodeIntegrity, "twice"},
		{"55 a name twice in other case", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("Layers", []any{}))
		}, model.CodeIntegrity, "twice"},
		{"55 labels in other case are two", func(l *layoutDir) object {
			return l.json(ociManifest, l.image("amd64").with("annotations", object{"a": "1", "A": "2"}))
		}, "", ""},
		{"55 came as an index", func(l *layoutDir) object { return l.json(ociIndex, l.image("amd64").with("mediaType", nil)) }, model.CodeIntegrity, "said to be"},
		{"55 came as another type", func(l *layoutDir) object {
			return l.json("application/vnd.docker.distribution.manifest.v2+json", l.image("amd64"))
		}, model.CodeIntegrity, "came as"},
		{"55 invalid UTF-8", func(l *layoutDir) object { return l.json(ociManifest, "{\"a\":\"\xff\"}") }, model.CodeIntegrity, "UTF-8"},
		{"55 something behind", func(l *layoutDir) object { return l.json(ociManifest, string(marshal(l.t, l.image("amd64")))+"{}") }, model.CodeIntegrity, "after"},
		{"55 deeply nested", func(l *layoutDir) object {
			return l.json(ociManifest, strings.Repeat(`{"a":`, 10_000)+"1"+strings.Repeat("}", 10_000))
		}, model.CodeIntegrity, "deep"},
		{"56 layer with urls", func(l *layoutDir) object {
			m := l.image("amd64")
			d := as[object](layersOf(m)[0]).with("urls", []string{"http://169.254.169.254/"}).with("mediaType", "application/vnd.docker.image.rootfs.foreign.diff.tar")
			return l.json(ociManifest, m.with("layers", []any{d}))
		}, "", ""},
		{"57 data that fits", func(l *layoutDir) object {
			m := l.image("amd64")
			c := marshal(l.t, l.config("amd64", archive(l.t, file("arch", "amd64"))))
			return l.json(ociManifest, m.with("config", l.blob(ociConfig, c).with("data", base64.StdEncoding.EncodeToString(c))))
		}, "", ""},
		{"57 data that does not fit", func(l *layoutDir) object {
			m := l.image("amd64")
			return l.json(ociManifest, m.with("config", as[object](m["config"]).with("data", base64.StdEncoding.EncodeToString([]byte("other")))))
		}, model.CodeIntegrity, "embeds"},
		{"57 upper-case digest", func(l *layoutDir) object {
			m := l.image("amd64")
			c := as[object](m["config"])
			return l.json(ociManifest, m.with("config", c.with("digest", strings.ToUpper(as[string](c["digest"])))))
		}, model.CodeIntegrity, "lower-case"},
		{"57 digest that is a path", func(l *layoutDir) object {
			m := l.image("amd64")
			return l.json(ociManifest, m.with("config", as[object](m["config"]).with("digest", "sha256:../../../../etc/passwd")))
		}, model.CodeIntegrity, "digest"},
		{"43 negative size", func(l *layoutDir) object {
			m := l.image("amd64")
			return l.json(ociManifest, m.with("config", as[object](m["config"]).with("size", -1)))
		}, model.CodeIntegrity, "size"},
		{"43 other size", func(l *layoutDir) object {
			m := l.image("amd64")
			return l.json(ociManifest, m.with("config", as[object](m["config"]).with("size", 5)))
		}, model.CodeIntegrity, "bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLayout(t)
			l.index(c.make(l))
			img, _, err := newRig(t, nil).pull(context.Background(), t, "oci:"+l.dir)
			if model.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v (%s), want %q with %q", err, model.CodeOf(err), c.code, c.says)
			}
			if err == nil && img.Config.Cmd[0] != "amd64" {
				t.Errorf("the image is for %q", img.Config.Cmd[0])
			}
		})
	}
}

func bytesRepeat(v any, n int) []any {
	var list []any
	for range n {
		list = append(list, v)
	}
	return list
}

// nest returns an image below so many indexes.
func nest(l *layoutDir, depth int) object {
	d := l.json(ociManifest, l.image("amd64"))
	for range depth {
		d = l.json(ociIndex, object{"schemaVersion": 2, "manifests": []any{d}})
	}
	return d
}

func TestLayoutTags(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	tagged := func(d object, tag string) object {
		return d.with("annotations", object{"org.opencontainers.image.ref.name": tag})
	}
	l.index(tagged(l.json(ociManifest, l.image("arm64")), "v1"), tagged(l.json(ociManifest, l.image("amd64")), "v2"))
	r := newRig(t, nil)
	if _, _, err := r.pull(context.Background(), t, "oci:"+l.dir+":v2"); err != nil {
		t.Error(err)
	}
	if _, _, err := r.pull(context.Background(), t, "oci:"+l.dir); model.CodeOf(err) != model.CodeInvalid || !strings.Contains(model.HintOf(err), ":v1") {
		t.Errorf("no tag: %v", err)
	}
	if _, _, err := r.pull(context.Background(), t, "oci:"+l.dir+":v3"); model.CodeOf(err) != model.CodeNotFound || !strings.Contains(model.HintOf(err), "v2") {
		t.Errorf("unknown tag: %v, hint %q", err, model.HintOf(err))
	}
	if _, _, err := r.pull(context.Background(), t, "oci:"+l.dir+"/nowhere"); model.CodeOf(err) != model.CodeNotFound || !strings.Contains(model.HintOf(err), "path") {
		t.Errorf("no layout: %v, hint %q", err, model.HintOf(err))
	}
	if _, _, err := r.pull(context.Background(), t, "oci:"+l.dir+"/index.json"); model.CodeOf(err) != model.CodeInvalid || !strings.Contains(model.HintOf(err), "archive:") {
		t.Errorf("a file: %v, hint %q", err, model.HintOf(err))
	}
	l.index(l.json(ociManifest, l.image("amd64")))
	if _, _, err := r.pull(context.Background(), t, "oci:"+l.dir+":v3"); model.CodeOf(err) != model.CodeNotFound || !strings.Contains(model.HintOf(err), "leave it out") {
		t.Errorf("a tag where there is none: %v, hint %q", err, model.HintOf(err))
	}
}

// A layer in a layout is verified while it is read, in every place.
func TestLayoutLayerIsVerified(t *testing.T) {
	t.Parallel()
	a := archive(t, file("a", incompressible(3000)))
	changes := map[string]func([]byte) []byte{
		"other":  func(b []byte) []byte { b[1000] ^= 1; return b },
		"short":  func(b []byte) []byte { return b[:len(b)-512] },
		"long":   func(b []byte) []byte { return append(b, make([]byte, 512)...) },
		"header": func(b []byte) []byte { b[200] = 'x'; return b },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayout(t)
			d := l.blob(ociLayer, a)
			l.index(l.json(ociManifest, object{"schemaVersion": 2, "config": l.json(ociConfig, l.config("amd64", a)), "layers": []any{d}}))
			path := filepath.Join(l.dir, "blobs", strings.Replace(as[string](d["digest"]), ":", "/", 1))
			if err := os.WriteFile(path, change(bytes.Clone(a)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := newRig(t, nil).pull(context.Background(), t, "oci:"+l.dir); model.CodeOf(err) != model.CodeIntegrity {
				t.Errorf("error %v (%s)", err, model.CodeOf(err))
			}
		})
	}
}

// Row 44: a layer that is what its descriptor says but not what the
// configuration promises.
func TestDiffID(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	a, b := archive(t, file("a", "1")), archive(t, file("a", "2"))
	l.index(l.json(ociManifest, object{"schemaVersion": 2, "config": l.json(ociConfig, l.config("amd64", b)), "layers": []any{l.blob(ociLayer, a)}}))
	if _, _, err := newRig(t, nil).pull(context.Background(), t, "oci:"+l.dir); model.CodeOf(err) != model.CodeIntegrity || !strings.Contains(err.Error(), "diff_id") {
		t.Errorf("error %v (%s)", err, model.CodeOf(err))
	}
}

func TestTarFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "root.tar.zst")
	if err := os.WriteFile(path, zstded(t, archive(t, file("a", "1"))), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	img, built, err := r.pull(context.Background(), t, "tar:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if img.Source.Kind != imagepull.KindTar || len(built.Layers) != 1 || img.Key != built.Layers[0] {
		t.Errorf("source %+v, layers %v, key %s", img.Source, built.Layers, img.Key)
	}
	if _, _, err := r.pull(context.Background(), t, "tar:"+path+".gone"); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("no file: %v", err)
	}
	if _, _, err := r.pull(context.Background(), t, "tar:"+filepath.Dir(path)); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("a directory: %v", err)
	}
}

// layersOf returns the layers of a manifest that the tests made themselves.
func layersOf(m object) []any {
	return as[[]any](m["layers"])
}

// as is a type assertion on what the tests made themselves.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("%T is no %T", v, t))
	}
	return t
}
