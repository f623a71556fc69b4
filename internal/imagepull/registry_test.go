package imagepull_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"banger/internal/imagepull"
	"banger/internal/model"
)

func TestPullFillsAndUsesTheCache(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", "1")), archive(t, file("b", incompressible(1<<20))))
	r := newRig(t, nil)
	img, built, err := r.pull(context.Background(), t, ref)
	if err != nil {
		t.Fatal(err)
	}
	if img.Source.Reference != ref || img.Source.Kind != imagepull.KindRegistry || len(built.Layers) != 2 {
		t.Errorf("source %+v, layers %v", img.Source, built.Layers)
	}
	if c := img.Config; c.User != "1000" || c.WorkingDir != "/w" || strings.Join(c.ExposedPorts, " ") != "22/tcp 80/tcp" {
		t.Errorf("config %+v", c)
	}
	if got := len(r.files(t, "blobs/sha256")); got != 4 { // manifest, config, two layers
		t.Errorf("%d blobs in the cache, want 4", got)
	}
	before := reg.blobGets()
	if _, again, err := r.pull(context.Background(), t, ref); err != nil || reg.blobGets() != before {
		t.Errorf("pulled again: %v, %d more blobs asked for", err, reg.blobGets()-before)
	} else if again.SizeBytes != built.SizeBytes {
		t.Errorf("sizes %d and %d", built.SizeBytes, again.SizeBytes)
	}
	if left := r.files(t, "ingest"); len(left) != 0 {
		t.Errorf("left in ingest: %v", left)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) func(*testRegistry) fault {
		return func(*testRegistry) fault {
			return func(w http.ResponseWriter, r *http.Request) bool {
				for i := 0; i < len(header); i += 2 {
					w.Header().Set(header[i], header[i+1])
				}
				w.WriteHeader(code)
				return true
			}
		}
	}
	on := func(match func(*http.Request) bool, times int64, f func(*testRegistry) fault) func(*testRegistry) fault {
		return func(reg *testRegistry) fault {
			var count atomic.Int64
			inner := f(reg)
			return func(w http.ResponseWriter, r *http.Request) bool {
				return match(r) && count.Add(1) <= times && inner(w, r)
			}
		}
	}
	changed := func(change func([]byte) []byte) func(*testRegistry) fault {
		return func(reg *testRegistry) fault {
			return func(w http.ResponseWriter, r *http.Request) bool {
				body := change(reg.Answer(r).Body.Bytes())
				_, _ = w.Write(body)
				return true
			}
		}
	}
	const always = 1 << 30
	cases := []struct {
		name  string
		fault func(*testRegistry) fault
		code  model.Code // "" when the pull succeeds
		hint  string
	}{
		{"401 without a challenge", on(isManifest, always, status(401)), model.CodeUnauthorized, "docker login"},
		{"403", on(isManifest, always, status(403)), model.CodeUnauthorized, "podman login"},
		{"404", on(isManifest, always, status(404)), model.CodeNotFound, "debian:bookworm"},
		{"404 of a layer", on(isLayer, always, status(404)), model.CodeNotFound, ""},
		{"429 once", on(isManifest, 1, status(429, "Retry-After", "0")), "", ""},
		{"429 of a layer once", on(isLayer, 1, status(429, "Retry-After", "1")), "", ""},
		{"429 for ever", on(isManifest, always, status(429)), model.CodeUnreachable, "docker login"},
		{"503 twice", on(isLayer, 2, status(503)), "", ""},
		{"503 twice at first contact", on(func(r *http.Request) bool { return r.URL.Path == "/v2/" }, 2, status(503)), "", ""},
		{"503 for ever", on(isLayer, always, status(503)), model.CodeUnreachable, "again"},
		{"an odd status", on(isLayer, always, status(418)), model.CodeUnreachable, "again"},
		{"reset", on(isManifest, 1, func(*testRegistry) fault {
			return func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
		}), "", ""},
		{"other layer", on(isLayer, always, changed(func(b []byte) []byte { b[len(b)/2] ^= 1; return b })), model.CodeIntegrity, ""},
		{"short layer", on(isLayer, always, changed(func(b []byte) []byte { return b[:len(b)/2] })), model.CodeIntegrity, ""},
		{"long layer", on(isLayer, always, changed(func(b []byte) []byte { return append(b, 0) })), model.CodeIntegrity, ""},
		{"other config", on(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") && !isLayer(r) }, always,
			changed(func(b []byte) []byte { b[1] ^= 1; return b })), model.CodeIntegrity, ""},
		{"huge manifest", on(isManifest, always, changed(func([]byte) []byte { return make([]byte, 5<<20) })), model.CodeLimit, "manifest_bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			reg := newTestRegistry(t)
			ref := reg.push(t, archive(t, file("a", incompressible(100_000))))
			reg.Misbehave(c.fault(reg))
			r := newRig(t, nil)
			_, _, err := r.pull(context.Background(), t, ref)
			if model.CodeOf(err) != c.code || !strings.Contains(model.HintOf(err), c.hint) {
				t.Fatalf("error %v (%s, hint %q), want %q with %q", err, model.CodeOf(err), model.HintOf(err), c.code, c.hint)
			}
			if c.code == model.CodeIntegrity && len(r.files(t, "ingest")) != 0 {
				t.Errorf("left: %v", r.files(t, "ingest"))
			}
			reg.Misbehave(func(http.ResponseWriter, *http.Request) bool { return false })
			if _, _, err := r.pull(context.Background(), t, ref); err != nil {
				t.Errorf("a second pull: %v", err)
			}
		})
	}
}

// A digest names its content: what is in the cache needs no registry, and
// what is not is still fetched.
func TestDigestFromTheCache(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	tag := reg.push(t, archive(t, file("a", "1")), archive(t, file("b", "2")))
	r := newRig(t, nil)
	img, _, err := r.pull(context.Background(), t, tag)
	if err != nil {
		t.Fatal(err)
	}
	ref := reg.Host + "/team/app@" + img.Source.ManifestDigest
	var asked atomic.Int64
	reg.Misbehave(func(w http.ResponseWriter, _ *http.Request) bool {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	again, _, err := r.pull(context.Background(), t, ref)
	if err != nil || again.Key != img.Key || asked.Load() != 0 {
		t.Errorf("a cached digest: %v, %d requests", err, asked.Load())
	}
	if _, _, err := r.pull(context.Background(), t, tag); model.CodeOf(err) != model.CodeUnreachable {
		t.Errorf("a tag: %v (%s)", err, model.CodeOf(err))
	}
	if err := os.Remove(r.blob(img.Source.Layers[1])); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.pull(context.Background(), t, ref); model.CodeOf(err) != model.CodeUnreachable {
		t.Errorf("without a layer: %v (%s)", err, model.CodeOf(err))
	}
	reg.Misbehave(func(http.ResponseWriter, *http.Request) bool { return false })
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Errorf("the layer is fetched: %v", err)
	}
	if err := os.WriteFile(r.blob(img.Source.ManifestDigest), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Errorf("a damaged manifest: %v", err)
	}
}

// blob returns where the cache keeps a blob.
func (r *rig) blob(digest string) string {
	return filepath.Join(r.dir, "oci", "blobs", strings.Replace(digest, ":", "/", 1))
}

// What a registry says is told without its JSON, and as it may be shown.
func TestWordsOfRegistries(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		`{"errors":[{"code":"DENIED","message":"no such team"},{"message":"no such team"},{"message":"pay first"}]}`: "404 Not Found: no such team; pay first",
		`{"errors":[{"message":"\u001b[2J"}]}`: `404 Not Found: \x1b[2J`,
		"plain words\n":                        "404 Not Found: plain words",
		`{"errors":null}`:                      "404 Not Found",
	} {
		reg := newTestRegistry(t)
		reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
			if isManifest(r) {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, said)
			}
			return isManifest(r)
		})
		ref := reg.Host + "/team/app@" + zeroDigest
		_, _, err := newRig(t, nil).pull(context.Background(), t, ref)
		if model.CodeOf(err) != model.CodeNotFound || !strings.HasSuffix(err.Error(), want) || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: %v, want %q and %s in it", said, err, want, ref)
		}
	}
}
