package imagepull_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// fakeEngine serves a docker's API on a unix socket and returns the socket.
func fakeEngine(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(serve)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

// engineRig pulls from the engine at socket, for docker and podman alike.
func engineRig(t *testing.T, socket string, change func(*imagepull.Config)) *rig {
	t.Helper()
	return newRig(t, func(c *imagepull.Config) {
		c.Getenv = func(k string) string {
			return map[string]string{"DOCKER_HOST": "unix://" + socket, "CONTAINER_HOST": "unix://" + socket}[k]
		}
		if change != nil {
			change(c)
		}
	})
}

func TestEngines(t *testing.T) {
	t.Parallel()
	saved := dockerSave(t, tagOf(t, "team/app:v1"))
	socket := fakeEngine(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/images/team/app:v1/json", "/images/sha256:0123456789ab/json":
			fmt.Fprint(w, `{"Id":"sha256:1"}`)
		case "/images/team/app:v1/get", "/images/sha256:0123456789ab/get":
			_, _ = w.Write(saved)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"message":"No such image: %s\u001b[2J"}`, strings.TrimPrefix(r.URL.Path, "/images/"))
		}
	})
	r := engineRig(t, socket, nil)
	for _, ref := range []string{"docker-daemon:team/app:v1", "podman:team/app:v1", "docker-daemon:sha256:0123456789ab"} {
		img, _, err := r.pull(context.Background(), t, ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if kind, _, _ := strings.Cut(ref, ":"); img.Source.Kind != kind || img.Source.Reference != ref || img.Config.User != "1000" {
			t.Errorf("%s: source %+v, config %+v", ref, img.Source, img.Config)
		}
	}
	_, _, err := r.pull(context.Background(), t, "docker-daemon:team/app")
	if model.CodeOf(err) != model.CodeNotFound || !strings.Contains(err.Error(), `team/app:latest`) || strings.Contains(err.Error(), "\x1b") || !strings.Contains(model.HintOf(err), "image pull") {
		t.Errorf("another tag: %v (%s), hint %q", err, model.CodeOf(err), model.HintOf(err))
	}
	if left := r.files(t, "ingest"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestHostileEngines(t *testing.T) {
	t.Parallel()
	saved := dockerSave(t, tagOf(t, "a:b"))
	get := func(serve http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/get") {
				serve(w, r)
			}
		}
	}
	cases := []struct {
		name  string
		serve http.HandlerFunc
		code  model.Code
		says  string
	}{
		{"an error", get(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			fmt.Fprint(w, `{"message":"disk on fire"}`)
		}), model.CodeUnreachable, "disk on fire"},
		{"an error without words", get(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			fmt.Fprint(w, strings.Repeat("x", 1<<20))
		}), model.CodeUnreachable, "status 500"},
		{"a redirect", get(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
		}), model.CodeUnreachable, "302"},
		{"nothing", get(func(http.ResponseWriter, *http.Request) {}), model.CodeNotFound, "manifest.json"},
		{"no archive", get(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 4096)) }), model.CodeIntegrity, ""},
		{"half of an archive", get(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(saved[:len(saved)/2]) }), model.CodeIntegrity, ""},
		{"a connection that breaks", get(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(saved[:512])
			as[http.Flusher](w).Flush()
			panic(http.ErrAbortHandler)
		}), model.CodeUnreachable, "broke off"},
		{"too much", get(func(w http.ResponseWriter, r *http.Request) {
			for block := make([]byte, 1<<16); r.Context().Err() == nil; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}), model.CodeLimit, "image.output_bytes"},
		{"silence in the middle", get(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(saved[:100])
			as[http.Flusher](w).Flush()
			<-r.Context().Done()
		}), model.CodeTimeout, "docker sent nothing"},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, model.CodeUnreachable, ""},
		{"another layer", get(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(savedImage(t, func(_, c object) {
				c["rootfs"] = object{"type": "layers", "diff_ids": []string{zeroDigest}}
			}))
		}), model.CodeIntegrity, "diff_id"},
		{"a file of the host", get(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(savedImage(t, func(m, _ object) { m["Config"] = "/etc/passwd" }))
		}), model.CodeNotFound, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limits := imagepull.DefaultLimits()
			limits.OutputBytes, limits.Stall = 8<<20, 200*time.Millisecond
			r := engineRig(t, fakeEngine(t, c.serve), func(cfg *imagepull.Config) { cfg.Limits = limits })
			_, _, err := r.pull(context.Background(), t, "docker-daemon:a:b")
			if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v (%s), want %s with %q", err, model.CodeOf(err), c.code, c.says)
			}
			if left := r.files(t, "ingest"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestEngineIsNotThere(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "gone")
	for name, c := range map[string]struct {
		env  string
		code model.Code
	}{
		"no socket":    {"unix://" + gone, model.CodeUnreachable},
		"over TCP":     {"tcp://127.0.0.1:2375", model.CodeUnsupported},
		"over ssh":     {"ssh://host", model.CodeUnsupported},
		"not absolute": {"unix://docker.sock", model.CodeUnsupported},
	} {
		r := newRig(t, func(cfg *imagepull.Config) { cfg.Getenv = func(string) string { return c.env } })
		for _, ref := range []string{"docker-daemon:a", "podman:a"} {
			_, _, err := r.pull(context.Background(), t, ref)
			if model.CodeOf(err) != c.code || !strings.Contains(model.HintOf(err), "save a:latest | banger image pull") {
				t.Errorf("%s, %s: %v (%s), hint %q", name, ref, err, model.CodeOf(err), model.HintOf(err))
			}
		}
	}
}

func TestCanceledExport(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(context.Background())
	socket := fakeEngine(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/get") {
			_, _ = w.Write(make([]byte, 512))
			as[http.Flusher](w).Flush()
			cancel(errors.New("enough"))
			<-r.Context().Done()
		}
	})
	_, _, err := engineRig(t, socket, nil).pull(ctx, t, "podman:a:b")
	if model.CodeOf(err) != model.CodeCanceled || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v (%s)", err, model.CodeOf(err))
	}
}

func TestEngineReferences(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string][2]string{
		"docker-daemon:debian":                   {"docker-daemon:debian:latest", "debian"},
		"docker-daemon:team/app:v1":              {"docker-daemon:team/app:v1", "app-v1"},
		"podman:localhost/app":                   {"podman:localhost/app:latest", "app"},
		"podman:localhost:5000/app":              {"podman:localhost:5000/app:latest", "app"},
		"docker-daemon:0123456789ab":             {"docker-daemon:0123456789ab", "0123456789ab"},
		"podman:sha256:" + zeroDigest[7:]:        {"podman:" + zeroDigest, "000000000000"},
		"docker-daemon:debian@" + zeroDigest:     {"docker-daemon:debian@" + zeroDigest, "debian-000000000000"},
		"docker-daemon:registry.example/x:V_1.0": {"docker-daemon:registry.example/x:V_1.0", "x-v_1.0"},
	} {
		got, err := imagepull.ParseRef(ref)
		if err != nil || got.String() != want[0] || got.DefaultName() != want[1] {
			t.Errorf("%s: %s, %s, %v", ref, got, got.DefaultName(), err)
		}
	}
	for _, bad := range []string{"docker-daemon:", "podman:/etc/passwd", "podman:a b", "docker-daemon:a/../b", "docker-daemon:A", "podman:a?x=1", "podman:a#b", "podman:-"} {
		if got, err := imagepull.ParseRef(bad); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: %v, %v", bad, got, err)
		}
	}
}
