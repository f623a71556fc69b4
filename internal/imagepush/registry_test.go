package imagepush_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/test/registrytest"
)

// pushed makes an image of one small file.
func pushed(t *testing.T) *imagepush.Image {
	t.Helper()
	dir := t.TempDir()
	cache, err := imagepull.OpenCache(filepath.Join(dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	root := &file{mode: unix.S_IFDIR | 0o755, children: map[string]*file{"a": {mode: unix.S_IFREG | 0o644, content: "x"}}}
	img, err := imagepush.FromTree(t.Context(), cache, disk(t, dir, root), model.ImageConfig{Cmd: []string{"a"}}, "linux/amd64", model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = img.Close() })
	return img
}

// serve runs a registry before which fault may answer, and returns its host.
func serve(t *testing.T, fault registrytest.Fault) string {
	t.Helper()
	reg := registrytest.New(t)
	reg.Misbehave(fault)
	return reg.Host
}

func push(ctx context.Context, t *testing.T, host string, img *imagepush.Image) error {
	t.Helper()
	tag, err := imagepush.ParseTarget(host + "/team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return (&imagepush.Registry{Transport: transport}).Push(ctx, tag, img, model.Discard)
}

func TestRegistriesThatMisbehave(t *testing.T) {
	t.Parallel()
	img := pushed(t)
	status := func(code int) registrytest.Fault {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v2/" {
				return false
			}
			w.WriteHeader(code)
			return true
		}
	}
	for name, c := range map[string]struct {
		fault registrytest.Fault
		code  model.Code
		says  string
	}{
		"it wants a login": {status(http.StatusUnauthorized), model.CodeUnauthorized, "refuses"},
		"it forbids":       {status(http.StatusForbidden), model.CodeUnauthorized, "refuses"},
		"it takes no more": {status(http.StatusInsufficientStorage), model.CodeUnreachable, "does not take it"},
		"it keeps another one": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodHead || !strings.HasSuffix(r.URL.Path, "/manifests/v1") {
				return false
			}
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "2")
			return true
		}, model.CodeIntegrity, "sha256:000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := push(t.Context(), t, serve(t, c.fault), img)
			if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v of code %q, want %q", err, model.CodeOf(err), c.code)
			}
		})
	}
}

func TestPushToNobody(t *testing.T) {
	t.Parallel()
	err := push(t.Context(), t, "127.0.0.1:1", pushed(t))
	var told *model.Error
	if model.CodeOf(err) != model.CodeUnreachable || !errors.As(err, &told) || told.Hint == "" {
		t.Errorf("got %v of code %q", err, model.CodeOf(err))
	}
	for _, bad := range []string{"", "UPPER/case", "a@sha256:" + strings.Repeat("0", 64), "a b"} {
		if _, err := imagepush.ParseTarget(bad); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// TestPushIsResumed: what a broken push has left there is not sent again.
func TestPushIsResumed(t *testing.T) {
	t.Parallel()
	img := pushed(t)
	var broken atomic.Bool
	var uploads atomic.Int32
	broken.Store(true)
	host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			uploads.Add(1)
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && broken.Load() {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		return false
	})
	if err := push(t.Context(), t, host, img); err == nil {
		t.Fatal("a manifest that was refused is taken for pushed")
	}
	first := uploads.Load()
	broken.Store(false)
	if err := push(t.Context(), t, host, img); err != nil {
		t.Fatal(err)
	}
	if first == 0 || uploads.Load() != first {
		t.Errorf("%d uploads at first, %d in all", first, uploads.Load())
	}
}

func TestPushIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	host := serve(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			cancel()
		}
		return false
	})
	if err := push(ctx, t, host, pushed(t)); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("got %v of code %q", err, model.CodeOf(err))
	}
}

// TestArchivesOfOneImage: the layouts hold the same image, whatever is written
// first, to the byte; a writer that fails ends it.
func TestArchivesOfOneImage(t *testing.T) {
	t.Parallel()
	img := pushed(t)
	for name, write := range map[string]func(io.Writer) error{
		"oci":    func(w io.Writer) error { return imagepush.WriteOCIArchive(t.Context(), w, img, "v1") },
		"docker": func(w io.Writer) error { return imagepush.WriteDockerArchive(t.Context(), w, img, "app:v1") },
	} {
		var a, b bytes.Buffer
		if err := errors.Join(write(&a), write(&b)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) || a.Len() == 0 {
			t.Errorf("%s: %d and %d bytes, which differ", name, a.Len(), b.Len())
		}
		full := errors.New("disk full")
		if err := write(failingWriter{full}); !errors.Is(err, full) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
