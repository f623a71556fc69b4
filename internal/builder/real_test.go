package builder_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/builder"
	"banger/internal/model"
)

// TestEnginesOfThisHost builds with the engines that are installed, in a store
// of their own. RUN is left to the builds that a host allows.
func TestEnginesOfThisHost(t *testing.T) {
	store, dir := t.TempDir(), t.TempDir()
	conf := "[storage]\ndriver = \"vfs\"\ngraphroot = \"" + store + "/g\"\nrunroot = \"" + store + "/r\"\n"
	for path, text := range map[string]string{store + "/storage.conf": conf, dir + "/Dockerfile": "FROM scratch\nCOPY x /x\nCMD [\"/x\"]\n", dir + "/x": "content"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CONTAINERS_STORAGE_CONF", store+"/storage.conf") // containers-storage.conf(5)
	for _, name := range []string{"podman", "buildah"} {
		t.Run(name, func(t *testing.T) {
			engine, err := builder.Finder{}.Find(t.Context(), name)
			if err != nil {
				t.Skip(err)
			}
			var log bytes.Buffer
			b := builder.Build{Context: dir, Dockerfile: filepath.Join(dir, "Dockerfile"), Network: model.NetUser, Tag: "localhost/banger/test"}
			id, err := engine.Build(t.Context(), b, t.TempDir(), &log)
			if err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			archive, err := engine.Save(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			defer archive.Close()
			wantMember(t, archive, "manifest.json")
		})
	}
}

// wantMember reads an archive to its end and looks for a member.
func wantMember(t *testing.T, r io.Reader, name string) {
	t.Helper()
	archive, found := tar.NewReader(r), false
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = found || h.Name == name
	}
	if _, err := io.Copy(io.Discard, r); err != nil || !found {
		t.Errorf("%s is there: %t; at the end: %v", name, found, err)
	}
}
