package kernelcat_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"banger/internal/kernelcat"
	"banger/internal/kernelcat/artifact"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/registrytest"
)

// withCatalog makes a service whose catalog has one more kernel.
func withCatalog(t *testing.T, name, more, source string) func(*kernelcat.Config) {
	dir := writeCatalog(t, map[string]string{"own.json": entryJSON(name, more, source)})
	return func(c *kernelcat.Config) { c.CatalogDir = dir }
}

func withArtifacts(registry string) func(*kernelcat.Config) {
	return func(c *kernelcat.Config) { c.Artifacts, c.Registry = artifact.NewClient(), registry }
}

// bundle is a tarball with the names of a kernel's directory.
func bundle(t *testing.T, release string) []byte {
	t.Helper()
	files := []kerneltest.File{{Name: "vmlinux", Body: kerneltest.ELF(kerneltest.Kernel{Release: release})}}
	for name, body := range kerneltest.Below(kerneltest.KernelFiles(release), "./lib/modules/"+release+"/") {
		files = append(files, kerneltest.File{Name: "modules/" + name, Body: body})
	}
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(kerneltest.Tar(files...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPullByURL(t *testing.T) {
	t.Parallel()
	body := bundle(t, release)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/k.tar.zst":
			_, _ = w.Write(body)
		case "/cut.tar.zst":
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body[:len(body)/2])
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	good := fmt.Sprintf("%x", sha256.Sum256(body))
	for name, c := range map[string]struct {
		path, sum, more string
		code            model.Code
	}{
		"good":          {"/k.tar.zst", good, `,"version":"6.1"`, ""},
		"another file":  {"/k.tar.zst", strings.Repeat("0", 64), "", model.CodeIntegrity},
		"cut off":       {"/cut.tar.zst", good, "", model.CodeUnreachable},
		"not there":     {"/none", good, "", model.CodeNotFound},
		"other version": {"/k.tar.zst", good, `,"version":"6.12"`, model.CodeIntegrity},
		"other digest":  {"/k.tar.zst", good, `,"digest":"sha256:` + good + `"`, model.CodeIntegrity},
	} {
		e := newEnv(t, withCatalog(t, "mine", c.more, fmt.Sprintf(`{"url":%q,"sha256":%q}`, server.URL+c.path, c.sum)))
		k, err := e.EnsureKernel(t.Context(), "mine", model.Discard)
		wantCode(t, name, err, c.code)
		if err != nil {
			e.wantNothing(t)
		} else if k.ModuleCount != 8 || k.Version != release {
			t.Errorf("%s: %+v", name, k)
		}
	}
}

func TestPullFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := newEnv(t, withCatalog(t, "mine", "", fmt.Sprintf(`{"files":[%q]},{"distro":"debian","package":"linux-image-amd64"}`, filepath.Join(dir, "gone.rpm"))))
	if k := e.pull(t, "mine"); k.Distro != "debian" {
		t.Errorf("files that are gone: got %+v", k)
	}
}

// TestPushAndPull: what is pushed from one host comes up on another, byte for
// byte; by tag, by digest, and as the default kernel where nothing else can be
// reached.
func TestPushAndPull(t *testing.T) {
	t.Parallel()
	addr := registrytest.New(t).Host
	from := newEnv(t, withArtifacts(""))
	k := from.pull(t, "")
	pushed, err := from.PushKernel(t.Context(), rpc.KernelPushParams{Ref: addr + "/kernels/debian-12-cloud:amd64"}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	again, err := from.PushKernel(t.Context(), rpc.KernelPushParams{Name: k.Name, Ref: addr + "/kernels/debian-12-cloud:again"}, model.Discard)
	if err != nil || again.Digest != pushed.Digest {
		t.Errorf("a second push gave %+v, %v", again, err)
	}
	if left, _ := filepath.Glob(filepath.Join(from.cfg.Paths.Cache, "push-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	to := newEnv(t, withArtifacts(addr+"/kernels"))
	for pkg := range to.mirror.packages {
		to.mirror.errs[pkg] = model.Errorf(model.CodeUnreachable, "no mirror answers")
	}
	var notes []string
	got, err := to.EnsureKernel(t.Context(), "", func(p model.Progress) { notes = append(notes, p.Note) })
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != k.Digest || got.ModuleCount != k.ModuleCount || !strings.Contains(got.Source, pushed.Digest) || got.Distro != "debian" {
		t.Errorf("got %+v", got)
	}
	if !slices.Contains(notes, "debian bookworm linux-image-cloud-amd64 cannot be reached: trying ubuntu (this host's release) linux-image-virtual") {
		t.Errorf("notes: %q", notes)
	}
	for name, body := range kerneltest.Below(kerneltest.KernelFiles(release), "./lib/modules/"+release+"/") {
		if !bytes.Equal(read(t, filepath.Join(got.Dir, model.ModulesDir, name)), body) {
			t.Errorf("modules/%s differs", name)
		}
	}

	byDigest, err := to.PullKernel(t.Context(), rpc.KernelPullParams{Name: "pinned", Ref: pushed.Ref}, model.Discard)
	if err != nil || byDigest.Digest != k.Digest {
		t.Errorf("by digest: %+v, %v", byDigest, err)
	}
	same, err := to.PullKernel(t.Context(), rpc.KernelPullParams{Name: "pinned", Ref: pushed.Ref}, model.Discard)
	if err != nil || !cmp.Equal(same, byDigest) {
		t.Errorf("the same again: %+v, %v", same, err)
	}
	_, err = to.PullKernel(t.Context(), rpc.KernelPullParams{Ref: addr + "/kernels/debian-12-cloud:again"}, model.Discard)
	wantCode(t, "a name that is taken", err, model.CodeConflict)
}

func TestPullReferenceRefuses(t *testing.T) {
	t.Parallel()
	addr := registrytest.New(t).Host
	e := newEnv(t, withArtifacts(""))
	for ref, code := range map[string]model.Code{
		addr + "/none:1":       model.CodeNotFound,
		"127.0.0.1:1/none:1":   model.CodeUnreachable,
		"library/debian":       model.CodeInvalid,
		addr + "/UPPER:1":      model.CodeInvalid,
		"http://" + addr + "/": model.CodeInvalid,
	} {
		_, err := e.PullKernel(t.Context(), rpc.KernelPullParams{Ref: ref, Name: "mine"}, model.Discard)
		wantCode(t, ref, err, code)
		e.wantNothing(t)
	}
	_, err := e.PushKernel(t.Context(), rpc.KernelPushParams{Name: "none", Ref: addr + "/k:1"}, model.Discard)
	wantCode(t, "pushing what is not here", err, model.CodeNotFound)
}
