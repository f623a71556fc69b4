package artifact_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"banger/internal/kernelcat/artifact"
	"banger/internal/model"
	"banger/test/registrytest"
)

// newRegistry starts a registry whose answers spoil may change.
func newRegistry(t *testing.T, spoil func(path string, body []byte) []byte) string {
	t.Helper()
	reg := registrytest.New(t)
	reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		rec := reg.Answer(r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(spoil(r.URL.Path, rec.Body.Bytes()))
		return true
	})
	return reg.Host
}

func push(t *testing.T, ref string, parts ...string) error {
	t.Helper()
	var list []artifact.Part
	for _, kind := range parts {
		path := filepath.Join(t.TempDir(), "part")
		if err := os.WriteFile(path, []byte("the bytes of "+kind), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, artifact.Part{MediaType: kind, Path: path})
	}
	_, err := artifact.NewClient().Push(t.Context(), ref, artifact.Info{Name: "k", Arch: "amd64"}, list, func(string) {})
	return err
}

func TestPullRefusesWhatIsSpoiled(t *testing.T) {
	t.Parallel()
	refused := model.Errorf(model.CodeUnsupported, "for another machine")
	for what, c := range map[string]struct {
		parts  []string
		spoil  func(path string, body []byte) []byte
		accept error
		code   model.Code
	}{
		"nothing":           {[]string{artifact.VmlinuxType}, nil, nil, ""},
		"no vmlinux":        {[]string{artifact.ModulesType}, nil, nil, model.CodeIntegrity},
		"two vmlinux":       {[]string{artifact.VmlinuxType, artifact.VmlinuxType}, nil, nil, model.CodeIntegrity},
		"another machine's": {[]string{artifact.VmlinuxType}, nil, refused, model.CodeUnsupported},
		"a changed layer": {[]string{artifact.VmlinuxType}, func(path string, b []byte) []byte {
			return bytes.Replace(b, []byte("the bytes"), []byte("new bytes"), 1)
		}, nil, model.CodeIntegrity},
		"a layer cut off": {[]string{artifact.VmlinuxType}, func(path string, b []byte) []byte {
			if strings.Contains(path, "/blobs/") && bytes.HasPrefix(b, []byte("the bytes")) {
				return b[:4]
			}
			return b
		}, nil, model.CodeIntegrity},
	} {
		if c.spoil == nil {
			c.spoil = func(_ string, b []byte) []byte { return b }
		}
		ref := newRegistry(t, c.spoil) + "/k:1"
		if err := push(t, ref, c.parts...); err != nil {
			t.Fatal(err)
		}
		_, err := artifact.NewClient().Pull(t.Context(), ref, t.TempDir(), func(artifact.Info) error { return c.accept }, func(string) {})
		if model.CodeOf(err) != c.code || c.accept != nil && !errors.Is(err, c.accept) {
			t.Errorf("%s: got %v of code %q, want %q", what, err, model.CodeOf(err), c.code)
		}
	}
}

func TestPullOfAnImage(t *testing.T) {
	t.Parallel()
	ref := newRegistry(t, func(_ string, b []byte) []byte { return b }) + "/image:1"
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, empty.Image); err != nil {
		t.Fatal(err)
	}
	_, err = artifact.NewClient().Pull(t.Context(), ref, t.TempDir(), func(artifact.Info) error { return nil }, func(string) {})
	if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(model.HintOf(err), "image pull") {
		t.Errorf("got %v, hint %q", err, model.HintOf(err))
	}
}

func TestParseReference(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"localhost/k", "127.0.0.1:5000/a/k:1", "registry.example/k@sha256:" + strings.Repeat("a", 64)} {
		if _, err := artifact.ParseReference(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, path := range []string{"../k", "./k", "/boot/vmlinuz", "~/k", ".../k"} {
		_, err := artifact.ParseReference(path)
		if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(model.HintOf(err), "kernel import") {
			t.Errorf("%s: %v, hint %q", path, err, model.HintOf(err))
		}
	}
	for _, bad := range []string{"", "k", "library/k", "registry.example/", "registry.example/K", "registry.example/k:"} {
		if _, err := artifact.ParseReference(bad); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
