package imagetree_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/imagetree"
	"banger/internal/model"
)

var epoch = time.Unix(1_700_000_000, 5).UTC()

// builder makes a filesystem in a temporary file.
type builder struct {
	t      *testing.T
	file   *os.File
	w      *ext4.Writer
	stream *ext4.Stream
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "rootfs.ext4"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	w, err := ext4.Create(f, ext4.Options{Time: epoch})
	if err != nil {
		t.Fatal(err)
	}
	return &builder{t, f, w, w.NewStream()}
}

func (b *builder) regular(content string) *ext4.Node {
	b.t.Helper()
	body, err := b.stream.WriteBody(strings.NewReader(content), int64(len(content)))
	if err != nil {
		b.t.Fatal(err)
	}
	return &ext4.Node{Mode: unix.S_IFREG | 0o644, MTime: epoch, Body: body}
}

func directory(children map[string]*ext4.Node) *ext4.Node {
	return &ext4.Node{Mode: unix.S_IFDIR | 0o755, MTime: epoch, Children: children}
}

// tree finishes the filesystem and opens it.
func (b *builder) tree(root *ext4.Node) *imagetree.Tree {
	b.t.Helper()
	if err := b.stream.Close(); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.w.Finish(context.Background(), root, ext4.FinishOptions{SizeBytes: 64 << 20}); err != nil {
		b.t.Fatal(err)
	}
	tree, err := imagetree.Open(b.file.Name())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = tree.Close() })
	return tree
}

// sample makes a tree that change may change.
func sample(t *testing.T, change func(b *builder, root map[string]*ext4.Node)) *imagetree.Tree {
	t.Helper()
	b := newBuilder(t)
	two := b.regular("two names")
	root := map[string]*ext4.Node{
		"bin":   directory(map[string]*ext4.Node{"su": b.regular(strings.Repeat("su", 300_000)), "one": two, "two": two}),
		"bin-x": b.regular("sorts behind what is in bin"),
		"dev":   directory(map[string]*ext4.Node{"null": {Mode: unix.S_IFCHR | 0o666, MTime: epoch, Major: 1, Minor: 3}}),
		"link":  {Mode: unix.S_IFLNK | 0o777, MTime: epoch, Link: "bin/su\xff"},
		"\xfe":  {Mode: unix.S_IFIFO | 0o600, MTime: epoch, UID: 1 << 31},
	}
	root["bin"].Children["su"].Mode |= unix.S_ISUID
	if change != nil {
		change(b, root)
	}
	return b.tree(directory(root))
}

func listed(t *testing.T, tree *imagetree.Tree, path string) ([]string, error) {
	t.Helper()
	var lines []string
	err := tree.List(context.Background(), path, func(e model.TreeEntry) error {
		lines = append(lines, fmt.Sprintf("%q %s %o %d:%d %d %d,%d %q", e.RawPath(), e.Type, e.Mode, e.UID, e.GID, e.Links, e.Major, e.Minor, e.RawTarget()))
		if !e.MTime.Equal(epoch) {
			t.Errorf("%q: time %v", e.Path, e.MTime)
		}
		return nil
	})
	return lines, err
}

func TestList(t *testing.T) {
	t.Parallel()
	tree := sample(t, nil)
	all := []string{
		`"/" dir 755 0:0 5 0,0 ""`,
		`"/bin" dir 755 0:0 2 0,0 ""`,
		`"/bin/one" file 644 0:0 2 0,0 ""`,
		`"/bin/su" file 4644 0:0 1 0,0 ""`,
		`"/bin/two" file 644 0:0 2 0,0 ""`,
		`"/bin-x" file 644 0:0 1 0,0 ""`,
		`"/dev" dir 755 0:0 2 0,0 ""`,
		`"/dev/null" char 666 0:0 1 1,3 ""`,
		`"/link" symlink 777 0:0 1 0,0 "bin/su\xff"`,
		`"/lost+found" dir 700 0:0 2 0,0 ""`, // every ext4 has it
		`"/\xfe" fifo 600 2147483648:0 1 0,0 ""`,
	}
	for _, c := range []struct {
		path string
		want []string
	}{
		{"", all}, {"/", all}, {"/bin", all[1:5]}, {"bin/./su/", all[3:4]}, {"/link", all[8:9]},
	} {
		got, err := listed(t, tree, c.path)
		if err != nil {
			t.Errorf("%q: %v", c.path, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.path, diff)
		}
	}
	for path, code := range map[string]model.Code{"/none": model.CodeNotFound, "/link/su": model.CodeNotFound, "/bin/../bin": model.CodeInvalid} {
		if _, err := listed(t, tree, path); model.CodeOf(err) != code {
			t.Errorf("%q: %v (%s)", path, err, model.CodeOf(err))
		}
	}
}

func TestListStops(t *testing.T) {
	t.Parallel()
	tree := sample(t, nil)
	enough := errors.New("enough")
	count := 0
	err := tree.List(context.Background(), "/", func(model.TreeEntry) error { count++; return enough })
	if !errors.Is(err, enough) || count != 1 {
		t.Errorf("%v after %d", err, count)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tree.List(ctx, "/", func(model.TreeEntry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(b *builder, root map[string]*ext4.Node)
		want   string
	}{
		{"nothing", nil, ""},
		{"mode", func(_ *builder, r map[string]*ext4.Node) { r["bin"].Mode |= unix.S_ISVTX }, "changed /bin mode\n"},
		{"owner", func(_ *builder, r map[string]*ext4.Node) { r["dev"].Children["null"].GID = 7 }, "changed /dev/null owner\n"},
		{"size", func(b *builder, r map[string]*ext4.Node) { r["bin-x"] = b.regular("short") }, "changed /bin-x size content\n"},
		{"the last byte", func(b *builder, r map[string]*ext4.Node) {
			mode := r["bin"].Children["su"].Mode
			r["bin"].Children["su"] = b.regular(strings.Repeat("su", 299_999) + "sv")
			r["bin"].Children["su"].Mode = mode
		}, "changed /bin/su content\n"},
		{"both names", func(b *builder, r map[string]*ext4.Node) {
			n := b.regular("two NAMES")
			r["bin"].Children["one"], r["bin"].Children["two"] = n, n
		}, "changed /bin/one content\nchanged /bin/two content\n"},
		{"target", func(_ *builder, r map[string]*ext4.Node) { r["link"].Link = "bin/su\xfe" }, "changed /link target\n"},
		{"device", func(_ *builder, r map[string]*ext4.Node) { r["dev"].Children["null"].Minor = 4 }, "changed /dev/null device\n"},
		{"attributes", func(_ *builder, r map[string]*ext4.Node) {
			r["bin-x"].Xattrs = map[string][]byte{"user.a": []byte("1")}
		}, "changed /bin-x xattrs\n"},
		{"type", func(b *builder, r map[string]*ext4.Node) { r["dev"] = b.regular("") },
			"changed /dev type mode\nremoved /dev/null\n"},
		{"removed tree", func(_ *builder, r map[string]*ext4.Node) { delete(r, "bin") },
			"removed /bin\nremoved /bin/one\nremoved /bin/su\nremoved /bin/two\n"},
		{"added last", func(b *builder, r map[string]*ext4.Node) { r["\xff"] = b.regular("") }, "added /\\xff\n"},
		{"added between", func(b *builder, r map[string]*ext4.Node) { r["bin!"] = b.regular("") }, "added /bin!\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from, to := sample(t, nil), sample(t, c.change)
			if got := changes(t, from, to); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			mirror := strings.NewReplacer("added", "removed", "removed", "added").Replace(c.want)
			if got := changes(t, to, from); got != mirror {
				t.Errorf("the other way got\n%swant\n%s", got, mirror)
			}
		})
	}
}

func changes(t *testing.T, from, to *imagetree.Tree) string {
	t.Helper()
	var text bytes.Buffer
	err := imagetree.Diff(context.Background(), from, to, imagetree.DiffOptions{}, func(c model.TreeChange) error {
		fmt.Fprintln(&text, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Change, model.Printable(c.RawPath()), strings.Join(c.What, " "))))
		if (c.From == nil) != (c.Change == model.ChangeAdded) || (c.To == nil) != (c.Change == model.ChangeRemoved) {
			t.Errorf("%+v", c)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return text.String()
}

func TestDiffOfTimes(t *testing.T) {
	t.Parallel()
	later := func(_ *builder, r map[string]*ext4.Node) { r["bin-x"].MTime = epoch.Add(time.Nanosecond) }
	from, to := sample(t, nil), sample(t, later)
	if got := changes(t, from, to); got != "" {
		t.Errorf("times were compared: %s", got)
	}
	var what []string
	err := imagetree.Diff(context.Background(), from, to, imagetree.DiffOptions{Times: true}, func(c model.TreeChange) error {
		what = append(what, c.Path+" "+strings.Join(c.What, " "))
		return nil
	})
	if diff := cmp.Diff([]string{"/bin-x mtime"}, what); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/junk", bytes.Repeat([]byte("x"), 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]model.Code{dir + "/none": model.CodeNotFound, dir + "/junk": model.CodeIntegrity} {
		if _, err := imagetree.Open(path); model.CodeOf(err) != code {
			t.Errorf("%s: %v (%s)", path, err, model.CodeOf(err))
		}
	}
}
