package pkgdb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/ext4"
	"banger/internal/model"
	"banger/internal/pkgdb"
)

// filesystem makes one of these files.
func filesystem(t *testing.T, files map[string]string) *ext4.FS {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "fs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	w, err := ext4.Create(f, ext4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream, root := w.NewStream(), &ext4.Node{Mode: 0o040755, Children: map[string]*ext4.Node{}}
	for name, text := range files {
		body, err := stream.WriteBody(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		dir := root
		parts := strings.Split(name, "/")
		for _, part := range parts[:len(parts)-1] {
			if dir.Children[part] == nil {
				dir.Children[part] = &ext4.Node{Mode: 0o040755, Children: map[string]*ext4.Node{}}
			}
			dir = dir.Children[part]
		}
		dir.Children[parts[len(parts)-1]] = &ext4.Node{Mode: 0o100644, Body: body}
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(t.Context(), root, ext4.FinishOptions{SizeBytes: 256 << 20}); err != nil {
		t.Fatal(err)
	}
	fsys, err := ext4.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func TestList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []model.Package
	}{
		"no package manager": {nil, nil},
		"dpkg": {map[string]string{"var/lib/dpkg/status": "Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nDescription: x\n Package: no\n\n" +
			"Package: half\nStatus: install ok half-installed\nVersion: 1\n\nPackage: a\nStatus: hold ok installed\nVersion: 2~rc1"},
			[]model.Package{{Name: "a", Version: "2~rc1", Manager: "dpkg"}, {Name: "b", Version: "1", Arch: "all", Manager: "dpkg"}}},
		"distroless": {map[string]string{
			"var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a\n", "var/lib/dpkg/status.d/tzdata.md5sums": "Package: no\n",
		}, []model.Package{{Name: "tzdata", Version: "2024a", Manager: "dpkg"}}},
		"apk": {map[string]string{"lib/apk/db/installed": "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld\n\nP:zlib\nV:1\n\n"},
			[]model.Package{{Name: "musl", Version: "1.2.5-r0", Arch: "x86_64", Manager: "apk"}, {Name: "zlib", Version: "1", Manager: "apk"}}},
		"hostile": {map[string]string{"lib/apk/db/installed": "P:\x1b[2J\nV:" + strings.Repeat("9", 1000) + "\n"},
			[]model.Package{{Name: `\x1b[2J`, Version: strings.Repeat("9", 256), Manager: "apk"}}},
	} {
		got, err := pkgdb.List(t.Context(), filesystem(t, c.files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"packages": strings.Repeat("P:a\n\n", 100_001),
		"a line":   "P:" + strings.Repeat("a", 2<<20),
	} {
		_, err := pkgdb.List(t.Context(), filesystem(t, map[string]string{"lib/apk/db/installed": text}))
		if model.CodeOf(err) != model.CodeIntegrity {
			t.Errorf("%s: %v", name, err)
		}
	}
}
