package buildcontext_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/buildcontext"
	"banger/internal/model"
)

// tree makes a directory of files; a text that begins with -> is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && len(text) > 2 && text[:2] == "->" {
			err = os.Symlink(text[2:], path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string) *buildcontext.Context {
	t.Helper()
	c, err := buildcontext.Open(t.Context(), dir, "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestIgnoredAbove: what is not ignored brings the directories above it along.
func TestIgnoredAbove(t *testing.T) {
	t.Parallel()
	c := open(t, tree(t, map[string]string{"src/app/a": "1", "src/b": "2", "other/c": "3", ".dockerignore": "*\n!src/app\n"}))
	files, err := c.Select([]string{"src"})
	var got []string
	for _, f := range files {
		got = append(got, f.To)
	}
	if err != nil || !cmp.Equal(got, []string{"", "app", "app/a"}) {
		t.Errorf("Select = %q, %v", got, err)
	}
}

// TestSelectFollowsLinks: a source that is a link means what it leads to.
func TestSelectFollowsLinks(t *testing.T) {
	t.Parallel()
	c := open(t, tree(t, map[string]string{
		"d/file": "1", "d/in": "->file", "ld": "->d", "lf": "->/d/file", "up": "->../../d/file", "loop": "->loop", "knot": "->knot/x", "deep/l": "->../ld", "gone": "->nothing",
	}))
	for source, want := range map[string]string{
		"ld": "d: d/file:file d/in:in", "lf": "d/file:lf", "up": "d/file:up", "ld/file": "d/file:file", "deep/l/file": "d/file:file",
		"loop": "loop:loop", "knot": "knot:knot", "gone": "gone:gone", "l?": "d: d/file:file d/in:in d/file:lf", "ld/f*": "d/file:file", "d/in": "d/file:in",
	} {
		files, err := c.Select([]string{source})
		var got []string
		for _, f := range files {
			got = append(got, f.Path+":"+f.To)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("Select(%q) = %q, %v; want %q", source, got, err, want)
		}
	}
	if _, err := c.Select([]string{"loop/x"}); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("below a loop: %v", err)
	}
}

// TestOpenChecks: what is copied is what the digest is of.
func TestOpenChecks(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a": "old"})
	c := open(t, dir)
	files, err := c.Select([]string{"a"})
	if err == nil {
		_, err = c.Digest(t.Context(), files)
	}
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{"old": true, "new": false, "old and more": true} {
		if err := os.WriteFile(filepath.Join(dir, "a"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := c.Open(files[0].File)
		if err == nil {
			_, err = io.CopyN(io.Discard, f, files[0].Size)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	c := open(t, tree(t, map[string]string{
		"a/x": "1", "a/deep/y": "2", "a/deep/keep": "3", "a.txt": "4", "b.txt": "5", "secret": "6", "out": "->/etc/passwd",
		".dockerignore": "secret\na/deep/*\n!a/deep/keep\n",
	}))
	for source, want := range map[string][]string{
		"a": {"", "deep", "deep/keep", "x"}, "./a/": {"", "deep", "deep/keep", "x"}, "*.txt": {"a.txt", "b.txt"}, "a/x": {"x"},
		"../../a/x": {"x"}, "out": {"out"},
	} {
		files, err := c.Select([]string{source})
		var got []string
		for _, f := range files {
			got = append(got, f.To)
		}
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("Select(%q) = %q, %v; want %q", source, got, err, want)
		}
	}
	for _, source := range []string{"secret", "a/deep/y", "*.none", "out/x"} {
		if _, err := c.Select([]string{source}); model.CodeOf(err) != model.CodeNotFound {
			t.Errorf("Select(%q): %v", source, err)
		}
	}
}

func TestDigestIsOfContentNamesAndModes(t *testing.T) {
	t.Parallel()
	digest := func(files map[string]string, mode os.FileMode) string {
		dir := tree(t, files)
		if err := os.Chmod(filepath.Join(dir, "x"), mode); err != nil {
			t.Fatal(err)
		}
		c := open(t, dir)
		selected, err := c.Select([]string{"."})
		if err != nil {
			t.Fatal(err)
		}
		sum, err := c.Digest(t.Context(), selected)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first := digest(map[string]string{"x": "1", "l": "->x"}, 0o644)
	if again := digest(map[string]string{"x": "1", "l": "->x"}, 0o644); again != first {
		t.Error("the same files have two digests")
	}
	for what, other := range map[string]string{
		"content": digest(map[string]string{"x": "2", "l": "->x"}, 0o644), "mode": digest(map[string]string{"x": "1", "l": "->x"}, 0o755),
		"link": digest(map[string]string{"x": "1", "l": "->y"}, 0o644), "name": digest(map[string]string{"x": "1", "m": "->x"}, 0o644),
	} {
		if other == first {
			t.Errorf("another %s has the same digest", what)
		}
	}
}

func TestDockerfileOutsideOfTheContext(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"Dockerfile": "->/etc/passwd"})
	if text, err := buildcontext.ReadDockerfile(dir, "Dockerfile"); err == nil {
		t.Errorf("read %q", text)
	}
}
