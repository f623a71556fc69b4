package imagepush_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"banger/internal/ext4"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// tb is what tests and random trials have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Context() context.Context
	Cleanup(f func())
}

// file is what a random tree holds, before it belongs to a filesystem.
type file struct {
	mode     uint32
	owner    uint32
	seconds  int64
	content  string // or target
	device   uint32
	attrs    map[string][]byte
	children map[string]*file // the same file may be under several names
}

// kinds of files; sockets are left out of layers, so they are not among them.
var kinds = []uint32{
	unix.S_IFREG, unix.S_IFREG, unix.S_IFREG, unix.S_IFDIR, unix.S_IFDIR, unix.S_IFLNK, unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO,
}

// names are few, so that two trees often have the same ones, and some are
// unlike those of sane images.
var names = []string{"a", "b", "a-b", "a.b", "\xff", "new\nline", "wh.a"}

// drawTree draws a directory of at most depth levels. Files that were drawn
// before may come again under another name.
func drawTree(t *rapid.T, depth int, known *[]*file) *file {
	dir := drawFile(t, unix.S_IFDIR)
	dir.children = map[string]*file{}
	for range rapid.IntRange(0, 4).Draw(t, "children") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		if n := len(*known); n > 0 && rapid.IntRange(0, 4).Draw(t, "link") == 0 {
			dir.children[name] = (*known)[rapid.IntRange(0, n-1).Draw(t, "to")]
			continue
		}
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		if kind == unix.S_IFDIR {
			if depth > 0 {
				dir.children[name] = drawTree(t, depth-1, known)
			}
			continue
		}
		f := drawFile(t, kind)
		*known = append(*known, f)
		dir.children[name] = f
	}
	return dir
}

func drawFile(t *rapid.T, kind uint32) *file {
	f := &file{
		mode:    kind | rapid.SampledFrom([]uint32{0o644, 0o755, 0o4755, 0o1777, 0}).Draw(t, "mode"),
		owner:   rapid.SampledFrom([]uint32{0, 1000, 1 << 31}).Draw(t, "owner"),
		seconds: rapid.SampledFrom([]int64{0, 1_700_000_000, -1}).Draw(t, "time"),
	}
	if kind != unix.S_IFLNK && rapid.Bool().Draw(t, "attrs") {
		name := "security.x"
		if kind == unix.S_IFREG || kind == unix.S_IFDIR { // nothing else may have one of users (xattr(7))
			name = "user.x"
		}
		f.attrs = map[string][]byte{name: []byte(rapid.SampledFrom([]string{"", "1", "\x00\n="}).Draw(t, "value"))}
	}
	switch kind {
	case unix.S_IFREG:
		f.content = strings.Repeat(rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "content"), rapid.SampledFrom([]int{1, 5000}).Draw(t, "length"))
	case unix.S_IFLNK:
		f.mode = kind | 0o777 // the only one that Linux gives them
		f.content = rapid.SampledFrom([]string{"a", "/", "../../x"}).Draw(t, "target")
	case unix.S_IFCHR, unix.S_IFBLK:
		f.device = rapid.Uint32Range(1, 2).Draw(t, "device")
	}
	return f
}

// disk writes a tree to a filesystem and opens that.
func disk(t tb, dir string, root *file) *imagetree.Tree {
	path := filepath.Join(dir, model.NewID())
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	w, err := ext4.Create(f, ext4.Options{})
	must(t, err)
	stream := w.NewStream()
	node := nodeOf(t, stream, root, map[*file]*ext4.Node{})
	must(t, stream.Close())
	_, err = w.Finish(t.Context(), node, ext4.FinishOptions{SizeBytes: 8 << 20})
	must(t, err)
	return open(t, path)
}

func open(t tb, path string) *imagetree.Tree {
	tree, err := imagetree.Open(path)
	must(t, err)
	t.Cleanup(func() { _, _ = tree.Close(), os.Remove(path) })
	return tree
}

func nodeOf(t tb, stream *ext4.Stream, f *file, made map[*file]*ext4.Node) *ext4.Node {
	if n := made[f]; n != nil {
		return n
	}
	n := &ext4.Node{Mode: f.mode, UID: f.owner, GID: f.owner, MTime: time.Unix(f.seconds, 0), Xattrs: f.attrs, Minor: f.device}
	made[f] = n
	switch f.mode & unix.S_IFMT {
	case unix.S_IFREG:
		var err error
		n.Body, err = stream.WriteBody(strings.NewReader(f.content), int64(len(f.content)))
		must(t, err)
	case unix.S_IFLNK:
		n.Link = f.content
	case unix.S_IFDIR:
		n.Children = map[string]*ext4.Node{}
		for name, child := range f.children {
			n.Children[name] = nodeOf(t, stream, child, made)
		}
	}
	return n
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// differences between two trees, times included, and which names are one file.
func differences(t *rapid.T, a, b *imagetree.Tree) (found []string) {
	must(t, imagetree.Diff(t.Context(), a, b, imagetree.DiffOptions{Times: true}, func(c model.TreeChange) error {
		found = append(found, fmt.Sprintf("%s %q %v", c.Change, c.RawPath(), c.What))
		return nil
	}))
	if x, y := linked(t, a), linked(t, b); !slices.Equal(x, y) {
		found = append(found, fmt.Sprintf("hard links: %q, %q", x, y))
	}
	return found
}

// linked returns the names of files that have several, together.
func linked(t *rapid.T, tree *imagetree.Tree) (groups []string) {
	byInode := map[uint32][]string{}
	must(t, tree.FS().Walk(t.Context(), func(name string, n *ext4.Inode) error {
		if n.Links > 1 && !n.IsDir() {
			byInode[n.Ino] = append(byInode[n.Ino], name)
		}
		return nil
	}))
	for _, together := range byInode {
		slices.Sort(together)
		groups = append(groups, strings.Join(together, "\x00"))
	}
	slices.Sort(groups)
	return groups
}

// TestLayersMakeTheTree: for any two trees, an image of the first and one more
// layer unpacks to the second, and the same layer comes out again.
func TestLayersMakeTheTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var known []*file
		from := disk(t, dir, drawTree(t, 2, &known))
		to := disk(t, dir, drawTree(t, 2, &known))
		cache, err := imagepull.OpenCache(filepath.Join(dir, "oci-"+model.NewID()))
		must(t, err)
		base, err := imagepush.FromTree(t.Context(), cache, from, model.ImageConfig{}, "linux/amd64", model.Discard)
		must(t, err)
		defer base.Close()
		img, err := imagepush.Append(t.Context(), cache, base, imagepush.Difference{From: from, To: to}, imagepush.Step{CreatedBy: "test"}, model.Discard)
		must(t, err)
		defer img.Close()
		again, err := imagepush.Append(t.Context(), cache, base, imagepush.Difference{From: from, To: to}, imagepush.Step{CreatedBy: "test"}, model.Discard)
		must(t, err)
		defer again.Close()
		if again.Digest != img.Digest {
			t.Errorf("the same trees made %s and %s", img.Digest, again.Digest)
		}
		if found := differences(t, to, unpacked(t, dir, cache, img)); len(found) > 0 {
			t.Errorf("what is unpacked differs:\n%s", strings.Join(found, "\n"))
		}
	})
}

// TestWhatLayersCannotHold: what no layer can hold is left out, with a word,
// and what it replaced is hidden all the same.
func TestWhatLayersCannotHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := func() *file { return &file{mode: unix.S_IFREG | 0o644, content: "x"} }
	folder := func(children map[string]*file) *file { return &file{mode: unix.S_IFDIR | 0o755, children: children} }
	from := folder(map[string]*file{"socket": folder(map[string]*file{"below": plain()}), "device": plain(), "gone": plain()})
	to := folder(map[string]*file{
		"socket": {mode: unix.S_IFSOCK | 0o600}, "new-socket": {mode: unix.S_IFSOCK | 0o600},
		"device": {mode: unix.S_IFCHR | 0o600}, ".wh.kept": folder(map[string]*file{"below": plain()}), "kept": plain(),
	})
	var layer bytes.Buffer
	var notes []string
	err := imagepush.WriteDiff(t.Context(), &layer, imagepush.Difference{From: disk(t, dir, from), To: disk(t, dir, to)}, func(p model.Progress) { notes = append(notes, p.Note) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"./", ".wh.device", ".wh.gone", ".wh.socket", "kept"}, members(&layer)); diff != "" {
		t.Errorf("members: -want +got\n%s", diff)
	}
	for i, want := range []string{"sockets", "character devices", ".wh."} {
		if i >= len(notes) || !strings.Contains(notes[i], want) {
			t.Errorf("notes %q do not say %q", notes, want)
		}
	}
}

// TestDifferenceWithout: what a difference leaves out stays as it was.
func TestDifferenceWithout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := func(text string) *file { return &file{mode: unix.S_IFREG | 0o644, content: text} }
	folder := func(children map[string]*file) *file { return &file{mode: unix.S_IFDIR | 0o755, children: children} }
	from := folder(map[string]*file{"changed": plain("a"), "removed": plain("b"), "other": plain("c")})
	to := folder(map[string]*file{"changed": plain("A"), "added": plain("d"), "other": plain("C")})
	var layer bytes.Buffer
	must(t, imagepush.WriteDiff(t.Context(), &layer, imagepush.Difference{
		From: disk(t, dir, from), To: disk(t, dir, to), Without: []string{"/changed", "/removed", "/added", "/none"},
	}, model.Discard))
	if diff := cmp.Diff([]string{"./", "other"}, members(&layer)); diff != "" {
		t.Errorf("members: -want +got\n%s", diff)
	}
}

// members returns the names in an archive.
func members(archive io.Reader) (names []string) {
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if err != nil {
			return names
		}
		names = append(names, h.Name)
	}
}

// unpacked writes an image to an archive and builds that as a pull does.
func unpacked(t *rapid.T, dir string, cache *imagepull.Cache, img *imagepush.Image) *imagetree.Tree {
	path := filepath.Join(dir, model.NewID())
	f, err := os.Create(path + ".tar")
	must(t, err)
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	must(t, imagepush.WriteOCIArchive(t.Context(), io.Writer(f), img, "v1"))
	ref, err := imagepull.ParseRef("oci-archive:" + f.Name())
	must(t, err)
	puller := imagepull.New(imagepull.Config{Cache: cache})
	got, err := puller.Resolve(t.Context(), ref, "linux/amd64", model.Discard)
	must(t, err)
	_, err = puller.BuildExt4(t.Context(), got, path, imagepull.BuildOptions{SizeBytes: 8 << 20, Stage: func(string) {}}, model.Discard)
	must(t, err)
	return open(t, path)
}
