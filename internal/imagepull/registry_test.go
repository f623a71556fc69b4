package imagepull_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.uber.org/goleak"

	"banger/internal/imagepull"
	"banger/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fault answers a request in the registry's place, or returns false.
type fault func(w http.ResponseWriter, r *http.Request) bool

// testRegistry is a registry in this process that counts requests and can
// misbehave.
type testRegistry struct {
	host  string
	inner http.Handler
	fault atomic.Pointer[fault]

	mu   sync.Mutex
	gets map[string]int // by path
}

func newTestRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{inner: registry.New(registry.Logger(log.New(io.Discard, "", 0))), gets: map[string]int{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *testRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	if req.Method == http.MethodGet {
		r.gets[req.URL.Path]++
	}
	r.mu.Unlock()
	if f := r.fault.Load(); f != nil && (*f)(w, req) {
		return
	}
	r.inner.ServeHTTP(w, req)
}

func (r *testRegistry) misbehave(f fault) { r.fault.Store(&f) }

func (r *testRegistry) blobGets() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, count := range r.gets {
		if strings.Contains(path, "/blobs/") {
			n += count
		}
	}
	return n
}

// push makes an image of archives and pushes it as HOST/team/app:v1.
func (r *testRegistry) push(t *testing.T, archives ...[]byte) string {
	t.Helper()
	ref := r.host + "/team/app:v1"
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, newImage(t, archives...)); err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return ref
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
	dir := t.TempDir()
	cache, err := imagepull.OpenCache(filepath.Join(dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := imagepull.Config{Cache: cache, Transport: transport, Backoff: time.Millisecond, Keychain: authn.NewMultiKeychain()}
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

// answer records what the registry answers.
func (r *testRegistry) answer(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.inner.ServeHTTP(rec, req)
	return rec
}

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
				body := change(reg.answer(r).Body.Bytes())
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
			reg.misbehave(c.fault(reg))
			r := newRig(t, nil)
			_, _, err := r.pull(context.Background(), t, ref)
			if model.CodeOf(err) != c.code || !strings.Contains(model.HintOf(err), c.hint) {
				t.Fatalf("error %v (%s, hint %q), want %q with %q", err, model.CodeOf(err), model.HintOf(err), c.code, c.hint)
			}
			if c.code == model.CodeIntegrity && len(r.files(t, "ingest")) != 0 {
				t.Errorf("left: %v", r.files(t, "ingest"))
			}
			reg.misbehave(func(http.ResponseWriter, *http.Request) bool { return false })
			if _, _, err := r.pull(context.Background(), t, ref); err != nil {
				t.Errorf("a second pull: %v", err)
			}
		})
	}
}

// cutAt sends the first half of layers and breaks the connection, so many
// times, and counts the bytes of all answers.
func cutAt(reg *testRegistry, cuts int64, ranges bool, sent *atomic.Int64) fault {
	var count atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayer(r) {
			return false
		}
		whole := reg.answer(httptest.NewRequest(http.MethodGet, r.URL.Path, nil)).Body.Bytes()
		body := whole
		var from int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && ranges {
			body = whole[from:]
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(whole)-1, len(whole)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if from > 0 && ranges {
			w.WriteHeader(http.StatusPartialContent)
		}
		if count.Add(1) <= cuts {
			body = body[:len(body)/2]
			defer panic(http.ErrAbortHandler)
		}
		n, _ := w.Write(body)
		sent.Add(int64(n))
		w.(http.Flusher).Flush()
		return true
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	for _, ranges := range []bool{true, false} {
		t.Run(fmt.Sprintf("ranges %v", ranges), func(t *testing.T) {
			t.Parallel()
			reg := newTestRegistry(t)
			ref := reg.push(t, archive(t, file("a", incompressible(size))))
			var sent atomic.Int64
			reg.misbehave(cutAt(reg, 2, ranges, &sent))
			r := newRig(t, nil)
			if _, _, err := r.pull(context.Background(), t, ref); err != nil {
				t.Fatal(err)
			}
			if most := int64(size + size/10); ranges && sent.Load() > most {
				t.Errorf("%d bytes were sent for a blob of %d", sent.Load(), size)
			}
		})
	}
}

func TestResumeAcrossPulls(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	for _, damaged := range []bool{false, true} {
		t.Run(fmt.Sprintf("damaged %v", damaged), func(t *testing.T) {
			t.Parallel()
			reg := newTestRegistry(t)
			ref := reg.push(t, archive(t, file("a", incompressible(size))))
			var sent atomic.Int64
			reg.misbehave(cutAt(reg, 1, true, &sent))
			r := newRig(t, func(c *imagepull.Config) { c.Transport = failAfter(c.Transport, "/blobs/", 2) })
			if _, _, err := r.pull(context.Background(), t, ref); model.CodeOf(err) != model.CodeUnreachable {
				t.Fatalf("first pull: %v", err)
			}
			partial := r.files(t, "ingest")
			if len(partial) != 1 {
				t.Fatalf("partial blobs: %v", partial)
			}
			if damaged {
				flipByte(t, partial[0])
			}
			r.Puller = newRigOn(t, r.dir)
			if _, _, err := r.pull(context.Background(), t, ref); err != nil {
				t.Fatalf("second pull: %v", err)
			}
			if most := int64(size + size/10); !damaged && sent.Load() > most {
				t.Errorf("%d bytes were sent for a blob of %d", sent.Load(), size)
			}
		})
	}
}

func newRigOn(t *testing.T, dir string) *imagepull.Puller {
	t.Helper()
	cache, err := imagepull.OpenCache(filepath.Join(dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return imagepull.New(imagepull.Config{Cache: cache, Transport: transport, Backoff: time.Millisecond, Keychain: authn.NewMultiKeychain()})
}

func flipByte(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 0x40
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// failAfter is a transport that cannot connect any more once it has carried
// so many requests whose path holds part.
func failAfter(inner http.RoundTripper, part string, n int64) http.RoundTripper {
	var count atomic.Int64
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.URL.Path, part) && count.Add(1) > n {
			return nil, &net.OpError{Op: "dial", Err: errors.New("network is unreachable")}
		}
		return inner.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestStallEndsATransfer(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(100_000))))
	reg.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayer(r) {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	limits := imagepull.DefaultLimits()
	limits.Stall = 100 * time.Millisecond
	r := newRig(t, func(c *imagepull.Config) { c.Limits = limits })
	if _, _, err := r.pull(context.Background(), t, ref); model.CodeOf(err) != model.CodeTimeout {
		t.Errorf("error %v (%s)", err, model.CodeOf(err))
	}
}

func TestManyPullersFetchABlobOnce(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(1<<20))), archive(t, file("b", incompressible(1<<18))))
	before := reg.blobGets()
	var layers atomic.Int64
	reg.misbehave(func(_ http.ResponseWriter, r *http.Request) bool {
		if isLayer(r) {
			layers.Add(1)
		}
		return false
	})
	r := newRig(t, nil)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, _, err := r.pull(context.Background(), t, ref); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if layers.Load() != 2 {
		t.Errorf("%d layers were asked for, want 2 (%d blobs before)", layers.Load(), before)
	}
}

func TestDamagedCacheIsRepaired(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(1<<20))))
	r := newRig(t, nil)
	img, _, err := r.pull(context.Background(), t, ref)
	if err != nil {
		t.Fatal(err)
	}
	flipByte(t, filepath.Join(r.dir, "oci", "blobs", strings.Replace(img.Source.Layers[0], ":", "/", 1)))
	if _, _, err := r.pull(context.Background(), t, ref); model.CodeOf(err) != model.CodeIntegrity || !strings.Contains(model.HintOf(err), "again") {
		t.Fatalf("damaged: %v", err)
	}
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	_ = l.Close()
	_, _, err = newRig(t, nil).pull(context.Background(), t, host+"/x:y")
	if model.CodeOf(err) != model.CodeUnreachable || !strings.Contains(err.Error(), host) {
		t.Errorf("error %v (%s)", err, model.CodeOf(err))
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	r := newRig(t, func(c *imagepull.Config) { c.Probe = 100 * time.Millisecond })
	_, _, err := r.pull(context.Background(), t, strings.TrimPrefix(silent.URL, "http://")+"/x:y")
	if model.CodeOf(err) != model.CodeUnreachable || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("error %v (%s)", err, model.CodeOf(err))
	}
}

func TestCanceledPull(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(1<<20))))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reg.misbehave(func(_ http.ResponseWriter, r *http.Request) bool {
		if isLayer(r) {
			cancel()
			<-r.Context().Done()
		}
		return false
	})
	if _, _, err := newRig(t, nil).pull(ctx, t, ref); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("error %v (%s)", err, model.CodeOf(err))
	}
}

// A registry on another host gets no plain HTTP, whatever its address.
func TestPlainHTTPStaysOnThisHost(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	schemes := map[string]bool{}
	r := newRig(t, func(c *imagepull.Config) {
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			schemes[r.URL.Scheme] = true
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		})
	})
	if _, _, err := r.pull(context.Background(), t, "10.1.2.3:5000/x:y"); err == nil {
		t.Error("no error")
	}
	if schemes["http"] || !schemes["https"] {
		t.Errorf("schemes used: %v", schemes)
	}
}

// Credentials go to the registry and not to where it redirects.
func TestCredentialsStayWithTheRegistry(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(1000))))
	var leaked, seen atomic.Bool
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		reg.inner.ServeHTTP(w, r)
	}))
	t.Cleanup(storage.Close)
	reg.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if user, pass, ok := r.BasicAuth(); !ok || user != "me" || pass != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if isLayer(r) {
			seen.Store(true)
			// By name in place of the address, so that it is another host.
			other := strings.Replace(storage.URL, "127.0.0.1", "localhost", 1)
			http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	r := newRig(t, func(c *imagepull.Config) { c.Keychain = fixedKeychain{} })
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Fatal(err)
	}
	if !seen.Load() || leaked.Load() {
		t.Errorf("redirected: %v, leaked: %v", seen.Load(), leaked.Load())
	}
}

type fixedKeychain struct{}

func (fixedKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "me", Password: "secret"}, nil
}

// Row 57: blobs named by sha512 are verified too.
func TestSHA512(t *testing.T) {
	t.Parallel()
	if _, err := imagepull.ParseDigest("sha512:" + strings.Repeat("ab", 64)); err != nil {
		t.Error(err)
	}
	sum := sha256.Sum256(nil)
	for _, bad := range []string{"", "sha256:", "sha256:AB", "md5:" + strings.Repeat("a", 32),
		"sha256:" + strings.ToUpper(hex.EncodeToString(sum[:])), "sha256:" + strings.Repeat("g", 64), "sha256:../../../etc/passwd"} {
		if _, err := imagepull.ParseDigest(bad); model.CodeOf(err) != model.CodeIntegrity {
			t.Errorf("digest %q: %v", bad, err)
		}
	}
}
