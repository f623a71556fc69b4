package ext4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/ext4"
)

type tree = map[string]*ext4.Node

// TestTrees writes one tree of each kind and has it checked by e2fsck and by the reader.
func TestTrees(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(m *image) *ext4.Node{
		"empty":        func(*image) *ext4.Node { return dir(nil) },
		"files":        filesTree,
		"kinds":        kindsTree,
		"names":        namesTree,
		"links":        linksTree,
		"attributes":   xattrTree,
		"owners":       ownersTree,
		"times":        timesTree,
		"deep":         deepTree,
		"directories":  directorySizesTree,
		"fragmented":   fragmentedTree,
		"lost+found":   func(m *image) *ext4.Node { return dir(tree{"lost+found": lostFoundTree(m)}) },
		"many symlink": manyLinksTree,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newImage(t)
			root := build(m)
			m.finish(root, 256*mib)
			m.verifyWith(root)
		})
	}
}

// verifyWith verifies, and takes a lost+found of the tree out of the comparison.
func (m *image) verifyWith(root *ext4.Node) {
	m.t.Helper()
	own := root.Children["lost+found"]
	if own == nil {
		m.verify(root)
		return
	}
	list, err := m.open().ReadDir("/lost+found")
	if err != nil || len(list) != len(own.Children) {
		m.t.Errorf("lost+found has %v, %v", list, err)
	}
	fsck(m.t, m.path)
}

func filesTree(m *image) *ext4.Node {
	sparse := pattern(9, 40*4096)
	clear(sparse[4*4096 : 30*4096])
	tailHole := pattern(10, 20*4096+5)
	clear(tailHole[8*4096:])
	return dir(tree{
		"empty": m.reg(""), "one": m.reg("x"), "block": m.reg(string(pattern(1, 4096))),
		"more": m.reg(string(pattern(2, 4097))), "mib": m.reg(string(pattern(3, mib+1))),
		"large": m.reg(string(pattern(4, 20*mib+17))), "sparse": m.reg(string(sparse)),
		"zeros": m.reg(strings.Repeat("\x00", 100_000)), "tail hole": m.reg(string(tailHole)),
		"zero byte": m.reg("\x00"),
	})
}

func kindsTree(m *image) *ext4.Node {
	suid := m.reg("")
	suid.Mode = sIFREG | 0o6755
	return dir(tree{
		"fifo": {Mode: 0o010600, MTime: epoch}, "socket": {Mode: 0o140755, MTime: epoch},
		"null": {Mode: 0o020666, MTime: epoch, Major: 1, Minor: 3},
		"zero": {Mode: 0o020666, MTime: epoch},
		"sda":  {Mode: 0o060660, MTime: epoch, Major: 8, Minor: 255},
		"wide": {Mode: 0o060660, MTime: epoch, Major: 259, Minor: 256},
		"most": {Mode: 0o020600, MTime: epoch, Major: 1<<12 - 1, Minor: 1<<20 - 1},
		"suid": suid, "sticky": {Mode: sIFDIR | 0o1777, MTime: epoch},
	})
}

func namesTree(m *image) *ext4.Node {
	return dir(tree{
		strings.Repeat("n", 255): m.reg("a"), "\xff\xfe": m.reg("b"), "a\nb": m.reg("c"), "esc\x1b[31m": m.reg("d"),
		"A": m.reg("e"), "a": m.reg("f"), "back\\slash": m.reg("g"), "...": m.reg("h"), " ": m.reg("i"),
	})
}

func linksTree(m *image) *ext4.Node {
	file, link := m.reg("shared"), symlink("target")
	return dir(tree{
		"a": file, "b": file, "sub": dir(tree{"c": file, "l2": link}), "l1": link,
		"59": symlink(strings.Repeat("x", 59)), "60": symlink(strings.Repeat("x", 60)),
		"61": symlink(strings.Repeat("x", 61)), "4095": symlink(strings.Repeat("x", 4095)),
		"outside": symlink("../../../etc/passwd"), "1": symlink("/"),
	})
}

func manyLinksTree(m *image) *ext4.Node {
	children := tree{}
	for i := range 600 {
		children[name(i)] = symlink(strings.Repeat("/long", 20) + name(i))
	}
	return dir(children)
}

func xattrTree(m *image) *ext4.Node {
	capability := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255}
	node := func(attrs map[string][]byte) *ext4.Node {
		n := m.reg("content")
		n.Xattrs = attrs
		return n
	}
	many := map[string][]byte{}
	for i := range 60 {
		many[fmt.Sprintf("user.%s%d", strings.Repeat("n", i%7), i)] = pattern(i, i%40)
	}
	withLink, withDir, device := symlink("x"), dir(nil), &ext4.Node{Mode: 0o020600, MTime: epoch, Major: 1, Minor: 5}
	device.Xattrs = map[string][]byte{"trusted.large": pattern(6, 2000)}
	linkBlock, longLink := symlink("x"), symlink(strings.Repeat("y", 300))
	linkBlock.Xattrs, longLink.Xattrs = device.Xattrs, device.Xattrs
	withLink.Xattrs = map[string][]byte{"trusted.t": []byte("link")}
	withDir.Xattrs = map[string][]byte{"system.posix_acl_default": acl, "system.posix_acl_access": acl}
	return dir(tree{
		"capability": node(map[string][]byte{"security.capability": capability}),
		"empty":      node(map[string][]byte{"user.e": {}}),
		"both":       node(map[string][]byte{"user.a": pattern(1, 60), "user.b": pattern(2, 61), "security.c": {0}}),
		"biggest":    node(map[string][]byte{"user.b": pattern(3, 4040)}),
		"many":       node(many),
		"high name":  node(map[string][]byte{"user.\xffé": pattern(4, 200)}),
		"link":       withLink, "dir": withDir, "device": device, "link block": linkBlock, "long link": longLink,
	})
}

func ownersTree(m *image) *ext4.Node {
	n := m.reg("x")
	n.UID, n.GID = 1<<32-2, 65536
	return dir(tree{"high": n})
}

func timesTree(m *image) *ext4.Node {
	children := tree{}
	for i, when := range []time.Time{
		time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Unix(-1<<31, 1), time.Unix(1<<31-1, 5), time.Unix(1<<31, 6),
		time.Unix(1<<32, 7), time.Unix(1<<33, 8), time.Unix(1<<34-1<<31-1, 999_999_999),
	} {
		n := dir(nil)
		n.MTime = when
		children[name(i)] = n
	}
	return dir(children)
}

func deepTree(m *image) *ext4.Node {
	n := dir(tree{"bottom": m.reg("x")})
	for range 1020 {
		n = dir(tree{"d": n})
	}
	return n
}

func directorySizesTree(m *image) *ext4.Node {
	// Entries of 20 bytes: 203 fill one block beside "." and "..".
	children := tree{}
	for _, n := range []int{1, 202, 203, 204, 1000, 5000} {
		sub := tree{}
		for i := range n {
			sub[name(i)] = symlink("x")
		}
		children[fmt.Sprint(n)] = dir(sub)
	}
	long := tree{} // names of all lengths and bytes
	for i := range 2000 {
		long[randomName(i, i%240)+name(i)] = symlink("x")
	}
	children["long"] = dir(long)
	return dir(children)
}

// fragmentedTree has files of 4, 5, 340, 341, 1360 and 1361 extents, of one block each.
func fragmentedTree(m *image) *ext4.Node {
	children := tree{}
	for _, n := range []int{4, 5, 340, 341, 1360, 1361} {
		content := make([]byte, n*9*4096)
		for i := range n { // one block of data, then a hole of 8
			copy(content[i*9*4096:], pattern(n+i, 4096))
		}
		children[fmt.Sprint(n)] = m.reg(string(content))
	}
	return dir(children)
}

func lostFoundTree(m *image) *ext4.Node {
	children := tree{}
	for i := range 1000 {
		children[name(i)] = m.reg("x")
	}
	return dir(children)
}

// TestTimesNear2345 are exact, though e2fsck remarks on them (and still returns 0).
func TestTimesNear2345(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	n := dir(nil)
	n.MTime = time.Date(2345, 6, 7, 8, 9, 10, 11, time.UTC)
	m.finish(dir(tree{"n": n}), 64*mib)
	if info, err := m.open().Stat("n"); err != nil || !info.MTime.Equal(n.MTime) {
		t.Errorf("mtime %v, %v; want %v", info.MTime, err, n.MTime)
	}
}

// TestTimesBeyondTheFormat are clamped.
func TestTimesBeyondTheFormat(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	early, late := dir(nil), dir(nil)
	early.MTime, late.MTime = time.Unix(-1<<40, 5), time.Unix(1<<40, 5)
	m.finish(dir(tree{"early": early, "late": late}), 64*mib)
	for path, want := range map[string]time.Time{"/early": time.Unix(-1<<31, 0), "/late": time.Unix(1<<34-1<<31-1, 999_999_999)} {
		info, err := m.open().Stat(path)
		if err != nil || !info.MTime.Equal(want) {
			t.Errorf("%s: mtime %v, %v; want %v", path, info.MTime, err, want)
		}
	}
}

// TestBigFile has 5 GiB, almost all of them a hole, and data beyond 4 GiB.
func TestBigFile(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	const size = 5*gib + 3
	r := io.MultiReader(strings.NewReader("start"), io.LimitReader(zeroReader{}, size-8), strings.NewReader("end"))
	body, err := m.stream.WriteBody(r, size)
	if err != nil {
		t.Fatal(err)
	}
	stats := m.finish(dir(tree{"big": {Mode: sIFREG, MTime: epoch, Body: body}}), 64*mib)
	fsck(t, m.path)
	f, err := m.open().OpenFile("big")
	if err != nil || f.Size() != size {
		t.Fatalf("size %d, %v", f.Size(), err)
	}
	end := make([]byte, 4)
	if _, err := f.ReadAt(end, size-4); err != nil || string(end) != "\x00end" {
		t.Errorf("the end is %q, %v", end, err)
	}
	if used := stats.BytesUsed; used > 16*mib {
		t.Errorf("%d bytes used for two blocks of data", used)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLongExtents has a file of more blocks than one extent, or the space between two superblock copies, holds.
func TestLongExtents(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	const size = 300 * mib
	body, err := m.stream.WriteBody(randomStream(1), size)
	if err != nil {
		t.Fatal(err)
	}
	m.finish(dir(tree{"large": {Mode: sIFREG, MTime: epoch, Body: body}}), 400*mib)
	fsck(t, m.path)
	f, err := m.open().OpenFile("large")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(&streamChecker{randomStream(1)}, f); n != size || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// streamChecker is written what must equal a random stream.
type streamChecker struct{ want *rand.ChaCha8 }

func (c *streamChecker) Write(p []byte) (int, error) {
	want := make([]byte, len(p))
	_, _ = c.want.Read(want)
	if !bytes.Equal(want, p) {
		return 0, errors.New("content differs")
	}
	return len(p), nil
}

// TestRefusals names the node that cannot be written, and leaves the Writer usable.
func TestRefusals(t *testing.T) {
	t.Parallel()
	cycle := dir(nil)
	cycle.Children = tree{"again": cycle}
	twice := dir(nil)
	deep := dir(nil)
	for range 100_000 {
		deep = dir(tree{"d": deep})
	}
	link := symlink("x")
	crowded := tree{}
	for i := range 65001 {
		crowded[name(i)] = link
	}
	file := func(attrs map[string][]byte) *ext4.Node { return &ext4.Node{Mode: sIFREG, Xattrs: attrs} }
	for _, test := range []struct {
		name, path string
		root       *ext4.Node
	}{
		{"nil root", "/", nil},
		{"root is a file", "/", &ext4.Node{Mode: sIFREG}},
		{"empty name", "/", dir(tree{"": file(nil)})},
		{"dot", "/.", dir(tree{".": file(nil)})},
		{"dot dot", "/s/..", dir(tree{"s": dir(tree{"..": file(nil)})})},
		{"slash", "/a/b", dir(tree{"a/b": file(nil)})},
		{"NUL", "/a\x00", dir(tree{"a\x00": file(nil)})},
		{"256 bytes", "/" + strings.Repeat("n", 256), dir(tree{strings.Repeat("n", 256): file(nil)})},
		{"no node", "/n", dir(tree{"n": nil})},
		{"cycle", "/c/again", dir(tree{"c": cycle})},
		{"directory twice", "/b", dir(tree{"a": twice, "b": twice})},
		{"deep", "/" + strings.Repeat("d/", 2047) + "d", dir(tree{"d": deep})},
		{"65001 links", "/" + name(65000), dir(crowded)},
		{"no type", "/n", dir(tree{"n": {Mode: 0o644}})},
		{"unknown mode bits", "/n", dir(tree{"n": {Mode: 1<<16 | sIFREG}})},
		{"empty link", "/n", dir(tree{"n": symlink("")})},
		{"long link", "/n", dir(tree{"n": symlink(strings.Repeat("x", 4096))})},
		{"NUL in link", "/n", dir(tree{"n": symlink("a\x00b")})},
		{"major", "/n", dir(tree{"n": {Mode: 0o020600, Major: 1 << 12}})},
		{"minor", "/n", dir(tree{"n": {Mode: 0o060600, Minor: 1 << 20}})},
		{"file with children", "/n", dir(tree{"n": {Mode: sIFREG, Children: tree{}}})},
		{"attributes", "/n", dir(tree{"n": file(map[string][]byte{"user.x": make([]byte, 4060)})})},
		{"namespace", "/n", dir(tree{"n": file(map[string][]byte{"com.apple": nil})})},
		{"attribute name", "/n", dir(tree{"n": file(map[string][]byte{"user.": nil})})},
		{"ACL", "/n", dir(tree{"n": file(map[string][]byte{"system.posix_acl_access": {1}})})},
		{"lost+found is a file", "/lost+found", dir(tree{"lost+found": file(nil)})},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newImage(t)
			if err := m.stream.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := m.Finish(t.Context(), test.root, ext4.FinishOptions{SizeBytes: 64 * mib})
			var refused *ext4.NodeError
			if !errors.As(err, &refused) || refused.Path != test.path {
				t.Fatalf("Finish: %v", err)
			}
			m.finish(dir(nil), 64*mib)
		})
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	file := m.reg("x")
	if _, err := m.stream.WriteBody(strings.NewReader("short"), 6); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short body: %v", err)
	}
	if _, err := m.stream.WriteBody(strings.NewReader(""), -1); err == nil {
		t.Error("a negative size was taken")
	}
	root := dir(tree{"x": file})
	if _, err := m.Finish(t.Context(), root, ext4.FinishOptions{SizeBytes: 64 * mib}); err == nil {
		t.Error("Finish ran beside an open stream")
	}
	shared := dir(tree{"x": file, "y": {Mode: sIFREG, Body: file.Body}})
	if err := m.stream.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Finish(t.Context(), shared, ext4.FinishOptions{SizeBytes: 64 * mib}); err == nil {
		t.Error("two inodes got the same blocks")
	}
	m.finish(root, 64*mib)
	m.verify(root)
	if _, err := m.Finish(t.Context(), root, ext4.FinishOptions{}); err == nil {
		t.Error("Finish ran twice")
	}
	if _, err := m.stream.WriteBody(strings.NewReader("x"), 1); err == nil {
		t.Error("a closed stream wrote")
	}
}

func TestSuperblock(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	stats := m.finish(dir(tree{"a": m.reg("x")}), 1*gib)
	opt := testOptions()
	got := m.open().Superblock()
	want := ext4.Superblock{
		UUID: opt.UUID, Label: "rootfs", BlockSize: 4096, Blocks: gib / 4096, FreeBlocks: stats.FreeBlocks,
		Inodes: 65536, FreeInodes: stats.FreeInodes, MaxBlocks: 2 << 40 / 4096,
		Created: epoch.Truncate(time.Second), Written: epoch.Truncate(time.Second),
		Compat: 0x3C, Incompat: 0x2C2, ROCompat: 0x46B, Checksummed: true, Clean: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("superblock (-want +got):\n%s", diff)
	}
	if stats.Inodes != 12 || stats.FreeInodes != 65536-12 || stats.BytesUsed+stats.BytesFree != gib {
		t.Errorf("stats %+v", stats)
	}
}
