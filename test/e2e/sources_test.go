package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// authFile is the text of an authentication file for one registry.
func authFile(registry, userPassword string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, registry, base64.StdEncoding.EncodeToString([]byte(userPassword)))
}

// write makes a file below the home and returns its path.
func (h *home) write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrivateRegistry goes through the places where credentials are kept; a
// password that is wrong or missing gives nothing.
func TestPrivateRegistry(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	private, err := startRegistry(t.Context(), htpasswd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(private.stop)
	if err := private.push(t.Context(), filepath.Join(w.layouts, "distroless"), "distroless", "--dest-creds", "banger:secret"); err != nil {
		t.Fatal(err)
	}
	good, wrong := authFile(private.addr, "banger:secret"), authFile(private.addr, "banger:wrong")
	helper := fmt.Sprintf(`{"credHelpers":{%q:"vault"}}`, private.addr)
	for _, c := range []struct {
		name, file, text string
		env              string // that names the file
		helper           string // what docker-credential-vault prints
		code             int
		says             string
	}{
		{name: "nothing", code: 1, says: "login"},
		{name: "docker", file: ".docker/config.json", text: good},
		{name: "docker, wrong password", file: ".docker/config.json", text: wrong, code: 1, says: "login"},
		{name: "docker elsewhere", file: "elsewhere/config.json", text: good, env: "DOCKER_CONFIG"},
		{name: "podman", file: ".config/containers/auth.json", text: good},
		{name: "REGISTRY_AUTH_FILE", file: "auth.json", text: good, env: "REGISTRY_AUTH_FILE"},
		{name: "helper", file: ".docker/config.json", text: helper, helper: `echo '{"Username":"banger","Secret":"secret"}'`},
		{name: "helper, wrong password", file: ".docker/config.json", text: helper, helper: `echo '{"Username":"banger","Secret":"no"}'`, code: 1, says: "login"},
		{name: "helper that fails", file: ".docker/config.json", text: helper, helper: `echo 'the vault is shut' >&2; exit 1`, code: 1, says: "the vault is shut"},
		{name: "helper that is not there", file: ".docker/config.json", text: helper, code: 1, says: "docker-credential-vault is not in PATH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := freshHome(t)
			if c.file != "" {
				path := h.write(t, c.file, c.text, 0o600)
				switch c.env {
				case "REGISTRY_AUTH_FILE":
					h.env = append(h.env, c.env+"="+path)
				case "DOCKER_CONFIG":
					h.env = append(h.env, c.env+"="+filepath.Dir(path))
				}
			}
			if c.helper != "" {
				program := h.write(t, "bin/docker-credential-vault", "#!/bin/sh\n"+c.helper+"\n", 0o700)
				h.env = append(h.env, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
			}
			r := h.try(t, "image", "pull", "--name", "private", private.ref("distroless"))
			if r.code != c.code || !strings.Contains(r.stderr, c.says) {
				t.Errorf("want exit code %d and %q, got %s", c.code, c.says, r)
			}
			if strings.Contains(r.stderr, "secret") {
				t.Errorf("the password is told: %s", r)
			}
		})
	}
}

// gate is a registry behind a proxy that counts the requests for each blob,
// and lets no more than half of one blob pass until it is opened.
type gate struct {
	addr string
	half chan struct{} // closed when half has passed
	open chan struct{}
	once sync.Once

	mu   sync.Mutex
	gets map[string][]string // ranges asked for, by path
}

const holdAbove = 1 << 20 // bytes of a blob that is held up

func newGate(t *testing.T, r *registry) *gate {
	t.Helper()
	g := &gate{half: make(chan struct{}), open: make(chan struct{}), gets: map[string][]string{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", r.addr
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // clients that leave are the test
		ModifyResponse: func(resp *http.Response) error {
			if strings.Contains(resp.Request.URL.Path, "/blobs/") && resp.ContentLength > holdAbove {
				resp.Body = &heldBody{ReadCloser: resp.Body, gate: g, left: resp.ContentLength / 2, ctx: resp.Request.Context()}
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
			g.mu.Lock()
			g.gets[req.URL.Path] = append(g.gets[req.URL.Path], req.Header.Get("Range"))
			g.mu.Unlock()
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	g.addr = strings.TrimPrefix(server.URL, "http://")
	return g
}

// heldBody stops half-way until the gate is open.
type heldBody struct {
	io.ReadCloser
	gate *gate
	left int64
	ctx  context.Context //nolint:containedctx // of the request that the body answers
}

func (b *heldBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.gate.once.Do(func() { close(b.gate.half) })
		select {
		case <-b.gate.open:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
		return b.ReadCloser.Read(p)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// leftovers are the files of pulls that did not end.
func (h *home) leftovers(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(h.dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// arrived returns how many bytes there are of blobs that are not whole.
func (h *home) arrived(t *testing.T) (total int64) {
	t.Helper()
	for _, path := range h.leftovers(t, "cache/oci/ingest/*") {
		if info, err := os.Stat(path); err == nil { // else it is whole by now
			total += info.Size()
		}
	}
	return total
}

// resumed tells whether a request asked for the rest of a blob.
func (g *gate) resumed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ranges := range g.gets {
		if strings.Join(ranges, "") != "" {
			return true
		}
	}
	return false
}

// TestInterruptedPulls has eight clients pull one image, each of whom is
// interrupted half-way. A ninth goes on from where they stopped.
func TestInterruptedPulls(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	g := newGate(t, w.registry)
	h := freshHome(t)
	h.ok(t, "system", "version") // starts the daemon
	const clients = 8
	ref := g.addr + "/debian-multi:latest"
	var running []*exec.Cmd
	for i := range clients {
		cmd := h.command(boundedContext(t), "image", "pull", "--name", fmt.Sprintf("c%d", i), ref)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	<-g.half
	eventually(t, func() string { // what has left the registry is on its way for a while
		if h.arrived(t) == 0 {
			return "nothing has arrived"
		}
		return ""
	})
	for _, cmd := range running {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	for _, cmd := range running {
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("an interrupted client: %v", cmd.ProcessState)
		}
	}
	eventually(t, func() string { return strings.Join(h.leftovers(t, "state/images/*"), " ") })
	if h.arrived(t) == 0 {
		t.Error("nothing is kept of what had arrived")
	}
	close(g.open)
	h.ok(t, "image", "pull", "--name", "last", ref)
	if !g.resumed() {
		t.Errorf("no transfer was continued: %v", g.gets)
	}
	if left := h.leftovers(t, "cache/oci/ingest/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if got := h.ok(t, "image", "show", "--tree", "-q", "last", "/opt/odd/body"); got != "/opt/odd/body\n" {
		t.Errorf("the last image: %q", got)
	}
}

// TestManyClients has eight clients pull one image: each blob is asked for
// once, and all images are the same.
func TestManyClients(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	g := newGate(t, w.registry)
	close(g.open)
	h := freshHome(t)
	h.ok(t, "system", "version")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if r := h.run(boundedContext(t), "image", "pull", "--name", fmt.Sprintf("c%d", i), g.addr+"/debian-multi:latest"); r.code != 0 {
				t.Errorf("client %d: %s", i, r)
			}
		})
	}
	all.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for path, ranges := range g.gets {
		if len(ranges) != 1 {
			t.Errorf("%s was asked for %d times", path, len(ranges))
		}
	}
	if out := h.ok(t, "image", "diff", "c0", "c7"); out != "" {
		t.Errorf("they differ: %s", out)
	}
}

// TestImportAndLook reads archives from standard input and looks into what
// became of them, while a VM uses one.
func TestImportAndLook(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	h := w.home
	dir := t.TempDir()
	for _, kind := range []string{"oci-archive", "docker-archive"} {
		file := filepath.Join(dir, kind)
		out, err := exec.CommandContext(t.Context(), "skopeo", "--insecure-policy", "copy", "--quiet",
			"oci:"+filepath.Join(w.layouts, "busybox")+":latest", kind+":"+file+":busybox:v1").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		r := finish(h.command(boundedContext(t), "image", "pull", "--name", "from-"+kind, "-"), in)
		_ = in.Close()
		if r.code != 0 {
			t.Fatalf("%s: %s", kind, r)
		}
		t.Cleanup(func() { h.run(context.Background(), "image", "delete", "from-"+kind) })
		if got := h.ok(t, "image", "show", "from-"+kind); !strings.Contains(got, "-@sha256:") {
			t.Errorf("%s: %s", kind, got)
		}
		if r := h.try(t, "image", "diff", "--times", "busybox", "from-"+kind); r.code != 0 || r.stdout != "" {
			t.Errorf("%s: %s", kind, r)
		}
	}
	h.vm(t, "looked-at", "from-oci-archive")
	if got := h.guest(t, "looked-at", "uname -s"); got != "Linux" {
		t.Errorf("the guest says %q", got)
	}
	tree := h.ok(t, "image", "show", "--tree", "from-oci-archive", "/bin")
	if !strings.Contains(tree, " /bin/busybox\n") {
		t.Errorf("%s", tree)
	}
	if r := h.try(t, "image", "diff", "busybox", "nonroot"); r.code != 1 || !strings.Contains(r.stdout, "+ /srv/app") {
		t.Errorf("%s", r)
	}
}
