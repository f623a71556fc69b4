package imagepull_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

	"banger/internal/imagepull"
	"banger/internal/model"
)

// cutAt sends the first half of layers and breaks the connection, so many
// times, and counts the bytes of all answers.
func cutAt(reg *testRegistry, cuts int64, ranges bool, sent *atomic.Int64) fault {
	var count atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayer(r) {
			return false
		}
		whole := reg.Whole(r)
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
		as[http.Flusher](w).Flush()
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
			reg.Misbehave(cutAt(reg, 2, ranges, &sent))
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
			reg.Misbehave(cutAt(reg, 1, true, &sent))
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
	return imagepull.New(imagepull.Config{Cache: cache, Transport: transport, Backoff: time.Millisecond, Keychain: noKeys{}})
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
	reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayer(r) {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write([]byte("x"))
		as[http.Flusher](w).Flush()
		<-r.Context().Done()
		return true
	})
	limits := imagepull.DefaultLimits()
	limits.Stall = 2 * time.Second // of which a busy machine needs much for a request that is answered at once
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
	reg.Misbehave(func(_ http.ResponseWriter, r *http.Request) bool {
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

// A call that was canceled says so, with the reason, wherever it was.
func TestCanceledPull(t *testing.T) {
	t.Parallel()
	for name, match := range map[string]func(*http.Request) bool{"layer": isLayer, "manifest": isManifest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := newTestRegistry(t)
			ref := reg.push(t, archive(t, file("a", incompressible(1<<20))))
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			reg.Misbehave(func(_ http.ResponseWriter, r *http.Request) bool {
				if match(r) {
					cancel(errors.New("enough"))
					<-r.Context().Done()
				}
				return false
			})
			_, _, err := newRig(t, nil).pull(ctx, t, ref)
			if model.CodeOf(err) != model.CodeCanceled || !strings.Contains(err.Error(), "enough") {
				t.Errorf("error %v (%s)", err, model.CodeOf(err))
			}
		})
	}
}

func TestCanceledMmdebstrap(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	program := fakeMmdebstrap(t, "echo 'I: making...' >&2\nexec sleep 60")
	r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap = offline(), program })
	ref, err := imagepull.ParseRef(imagepull.DefaultRef())
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.Resolve(ctx, ref, "", r.report)
	if err != nil {
		t.Fatal(err)
	}
	report := func(p model.Progress) {
		if strings.HasPrefix(p.Note, "mmdebstrap: making") {
			cancel(errors.New("enough"))
		}
	}
	path := filepath.Join(r.dir, "rootfs")
	_, err = r.BuildExt4(ctx, img, path, imagepull.BuildOptions{Stage: func(string) {}}, report)
	if model.CodeOf(err) != model.CodeCanceled || !strings.Contains(err.Error(), "enough") {
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
		_, _ = w.Write(reg.Whole(r))
	}))
	t.Cleanup(storage.Close)
	reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
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
	r := newRig(t, func(c *imagepull.Config) { c.Keychain = keys{Username: "me", Password: "secret"} })
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Fatal(err)
	}
	if !seen.Load() || leaked.Load() {
		t.Errorf("redirected: %v, leaked: %v", seen.Load(), leaked.Load())
	}
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
