package kernelcat_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/kernelcat"
	"banger/internal/model"
)

// entryJSON is a catalog of one entry.
func entryJSON(name, more, source string) string {
	return fmt.Sprintf(`{"kernels":[{"name":%q,"description":"d","distro":"own","arch":"amd64"%s,"sources":[%s]}]}`, name, more, source)
}

// writeCatalog writes files of kernels.d and returns the directory.
func writeCatalog(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kernels[d]")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadCatalog(t *testing.T) {
	t.Parallel()
	dir := writeCatalog(t, map[string]string{
		"b.json":     entryJSON("mine", `,"version":"6.1","has":["tun"]`, `{"files":["/k/vmlinux"]}`),
		"a.json":     entryJSON("other", ``, `{"oci":"registry.example/k:1"}`),
		"notes.text": "no catalog",
	})
	c, err := kernelcat.LoadCatalog(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range c.Kernels {
		names = append(names, e.Name)
	}
	if got := strings.Join(names, " "); got != "debian-12-cloud debian-12 debian-13-cloud debian-13 ubuntu-24.04 other mine" {
		t.Errorf("got %s", got)
	}
	if _, err := kernelcat.LoadCatalog(filepath.Join(dir, "none")); err != nil {
		t.Errorf("no directory: %v", err)
	}
}

func TestLoadCatalogRefuses(t *testing.T) {
	t.Parallel()
	file := `{"files":["/k/vmlinux"]}`
	digest := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"a name of two files":    {map[string]string{"a.json": entryJSON("mine", "", file), "b.json": entryJSON("mine", "", file)}, []string{"mine", "a.json", "b.json"}},
		"a name of the built-in": {map[string]string{"a.json": entryJSON("debian-12", "", file)}, []string{"debian-12", "built-in", "a.json"}},
		"a second default":       {map[string]string{"a.json": entryJSON("mine", `,"default":true`, file)}, []string{"debian-12-cloud", "mine", "a.json"}},
		"an unknown field":       {map[string]string{"a.json": entryJSON("mine", `,"url":"x"`, file)}, []string{"a.json", "url"}},
		"an unknown feature":     {map[string]string{"a.json": entryJSON("mine", `,"has":["warp"]`, file)}, []string{"a.json", "warp"}},
		"a bad digest":           {map[string]string{"a.json": entryJSON("mine", `,"digest":"sha256:1"`, file)}, []string{"a.json", "digest"}},
		"two kinds of source":    {map[string]string{"a.json": entryJSON("mine", "", `{"oci":"r/k:1","url":"https://x/y"}`)}, []string{"a.json", "oci url"}},
		"no kind of source":      {map[string]string{"a.json": entryJSON("mine", "", `{}`)}, []string{"a.json"}},
		"plain http":             {map[string]string{"a.json": entryJSON("mine", "", `{"url":"http://k.example/k","sha256":"`+digest+`"}`)}, []string{"https"}},
		"no sha256":              {map[string]string{"a.json": entryJSON("mine", "", `{"url":"https://k.example/k"}`)}, []string{"sha256"}},
		"a relative file":        {map[string]string{"a.json": entryJSON("mine", "", `{"files":["vmlinux"]}`)}, []string{"absolute"}},
		"half a file":            {map[string]string{"a.json": `{"kernels":[`}, []string{"a.json"}},
		"a huge file":            {map[string]string{"a.json": strings.Repeat(" ", 1<<20+1)}, []string{"a.json"}},
	} {
		_, err := kernelcat.LoadCatalog(writeCatalog(t, c.files))
		if err == nil {
			t.Errorf("%s: is not refused", name)
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", name, err, part)
			}
		}
	}
}

// TestCatalogPipe: a catalog that is no file is refused, not waited for.
func TestCatalogPipe(t *testing.T) {
	t.Parallel()
	dir := writeCatalog(t, nil)
	if err := unix.Mkfifo(filepath.Join(dir, "pipe.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := kernelcat.LoadCatalog(dir)
	wantCode(t, "a pipe", err, model.CodeInvalid)
}

// TestBadCatalogStopsOnlyWhatNeedsIt: kernels on this host still boot.
func TestBadCatalogStopsOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	dir := writeCatalog(t, nil)
	e := newEnv(t, func(c *kernelcat.Config) { c.CatalogDir = dir })
	k := e.pull(t, "")
	if err := os.WriteFile(filepath.Join(dir, "bad.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.EnsureKernel(t.Context(), k.Name, model.Discard); err != nil {
		t.Errorf("a kernel on this host: %v", err)
	}
	_, err := e.ListCatalog(t.Context())
	wantCode(t, "the catalog", err, model.CodeInvalid)
}
