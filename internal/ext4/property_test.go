package ext4_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"banger/internal/ext4"
)

// TestRandomTrees writes random trees, and reads them back equal.
func TestRandomTrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newImage(t)
		root := m.drawDir(rt, 0)
		for range rapid.IntRange(0, 3).Draw(rt, "links") {
			m.drawLink(rt, root)
		}
		if err := m.stream.Close(); err != nil {
			rt.Fatal(err)
		}
		if _, err := m.Finish(t.Context(), root, ext4.FinishOptions{}); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(m.wanted(root), found(t, m.open()), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("the filesystem differs from the tree (-want +got):\n%s", diff)
		}
		fsck(t, m.path)
	})
}

func (m *image) drawDir(t *rapid.T, depth int) *ext4.Node {
	n := dir(tree{})
	m.drawOwner(t, n)
	for range rapid.IntRange(0, 12).Draw(t, "children") {
		n.Children[drawName(t)] = m.drawNode(t, depth+1)
	}
	if rapid.IntRange(0, 9).Draw(t, "crowd") == 0 {
		for i := range rapid.IntRange(0, 900).Draw(t, "crowd size") {
			n.Children[fmt.Sprint("crowd", i)] = symlink("x")
		}
	}
	if depth == 0 {
		delete(n.Children, "lost+found")
	}
	return n
}

func drawName(t *rapid.T) string {
	return "n" + randomName(rapid.IntRange(0, 1<<20).Draw(t, "name"), rapid.IntRange(0, 254).Draw(t, "name length"))
}

// randomName has n bytes of all values that a name can have.
func randomName(seed, n int) string {
	return strings.NewReplacer("/", "_", "\x00", "_").Replace(string(pattern(seed, n)))
}

func (m *image) drawNode(t *rapid.T, depth int) *ext4.Node {
	var n *ext4.Node
	switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case kind < 2 && depth < 5:
		return m.drawDir(t, depth)
	case kind == 2:
		n = symlink(strings.Repeat("t", rapid.IntRange(1, 4095).Draw(t, "target")))
	case kind == 3:
		n = &ext4.Node{Mode: 0o020000, Major: rapid.Uint32Range(0, 1<<12-1).Draw(t, "major"), Minor: rapid.Uint32Range(0, 1<<20-1).Draw(t, "minor")}
	case kind == 4:
		n = &ext4.Node{Mode: 0o010000}
	default:
		n = m.drawFile(t)
	}
	m.drawOwner(t, n)
	return n
}

// drawFile makes a file of runs of data and of zeros.
func (m *image) drawFile(t *rapid.T) *ext4.Node {
	var content []byte
	for i := range rapid.IntRange(0, 6).Draw(t, "runs") {
		size := rapid.IntRange(0, 90_000).Draw(t, "run")
		if rapid.Bool().Draw(t, "hole") {
			content = append(content, make([]byte, size)...)
		} else {
			content = append(content, pattern(i, size)...)
		}
	}
	body, err := m.stream.WriteBody(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	n := &ext4.Node{Mode: sIFREG, Body: body}
	m.content[n] = sha(content)
	return n
}

func (m *image) drawOwner(t *rapid.T, n *ext4.Node) {
	n.Mode |= rapid.Uint32Range(0, 0o7777).Draw(t, "mode")
	n.UID, n.GID = rapid.Uint32().Draw(t, "uid"), rapid.Uint32().Draw(t, "gid")
	// e2fsck remarks on times from 2310 to 2378, which a kernel once wrote for those before 1970.
	n.MTime = time.Unix(rapid.Int64Range(-1<<31, 1<<33+1<<31-1).Draw(t, "mtime"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	n.Xattrs = map[string][]byte{}
	for range rapid.IntRange(0, 3).Draw(t, "attributes") {
		space := rapid.SampledFrom([]string{"user.", "trusted.", "security."}).Draw(t, "namespace")
		key := space + rapid.StringMatching(`[a-zA-Z0-9_.é]{1,60}`).Draw(t, "attribute")
		n.Xattrs[key] = pattern(1, rapid.IntRange(0, 1000).Draw(t, "value"))
	}
}

// drawLink gives one of the root's files a second name.
func (m *image) drawLink(t *rapid.T, root *ext4.Node) {
	var names []string
	for name, n := range root.Children {
		if n.Mode&0o170000 != sIFDIR {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		first := rapid.SampledFrom(names).Draw(t, "first name")
		root.Children[fmt.Sprint("link", len(names))] = root.Children[first]
	}
}

// TestSameInputSameBytes: also from other Nodes and a file with old content.
func TestSameInputSameBytes(t *testing.T) {
	t.Parallel()
	var sums []string
	for i := range 3 {
		m := newImage(t)
		if i == 2 {
			if err := os.WriteFile(m.path, pattern(1, 3*mib), 0o600); err != nil {
				t.Fatal(err)
			}
			w, err := ext4.Create(m.file, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			m.Writer, m.stream = w, w.NewStream()
		}
		m.finish(dir(tree{"a": filesTree(m), "b": xattrTree(m), "c": directorySizesTree(m), "d": linksTree(m)}), 128*mib)
		content, err := os.ReadFile(m.path)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sha(content))
	}
	if sums[0] != sums[1] || sums[0] != sums[2] {
		t.Errorf("images differ: %v", sums)
	}
}
