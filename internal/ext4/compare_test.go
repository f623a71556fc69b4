package ext4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"banger/internal/ext4"
)

// fact is all that can be seen of a file. Time is to the nanosecond.
type fact struct {
	Mode, UID, GID, Links uint32
	Size                  int64
	MTime                 time.Time
	Link                  string
	Major, Minor          uint32
	Xattrs                map[string][]byte
	Content               string // hex of the sum
}

// wanted lists the tree as the filesystem must show it, lost+found excepted.
func (m *image) wanted(root *ext4.Node) map[string]fact {
	links := map[*ext4.Node]uint32{}
	facts := map[string]fact{}
	paths := map[string]*ext4.Node{"/": root}
	pending := []string{"/"}
	for len(pending) > 0 {
		at := pending[0]
		pending = pending[1:]
		n := paths[at]
		links[n]++
		for name, child := range n.Children {
			p := path.Join(at, name)
			paths[p] = child
			pending = append(pending, p)
		}
	}
	for p, n := range paths {
		facts[p] = m.wantedFact(n, links[n])
	}
	return facts
}

func (m *image) wantedFact(n *ext4.Node, links uint32) fact {
	f := fact{
		Mode: n.Mode, UID: n.UID, GID: n.GID, Links: links, MTime: n.MTime,
		Link: n.Link, Major: n.Major, Minor: n.Minor, Xattrs: n.Xattrs, Size: n.Body.Size() + int64(len(n.Link)),
	}
	switch n.Mode & 0o170000 {
	case sIFDIR:
		f.Links, f.Size = 0, 0
	case sIFREG:
		f.Content = m.content[n]
	}
	return f
}

// found lists the filesystem, lost+found excepted. Sizes and links of directories are left out.
func found(t testing.TB, fs *ext4.FS) map[string]fact {
	t.Helper()
	facts := map[string]fact{}
	err := fs.Walk(t.Context(), func(path string, n *ext4.Inode) error {
		if path == "/lost+found" {
			return nil
		}
		f, err := foundFact(n)
		facts[path] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func foundFact(n *ext4.Inode) (f fact, err error) {
	f = fact{
		Mode: n.Mode, UID: n.UID, GID: n.GID, Links: n.Links, MTime: n.MTime,
		Major: n.Major, Minor: n.Minor, Size: n.Size,
	}
	switch n.Mode & 0o170000 {
	case sIFDIR:
		f.Links, f.Size = 0, 0
	case sIFLNK:
		f.Link, err = n.Readlink()
	case sIFREG:
		f.Content, err = contentSum(n)
	}
	if err != nil {
		return f, err
	}
	f.Xattrs, err = n.Xattrs()
	return f, err
}

func contentSum(n *ext4.Inode) (string, error) {
	r, err := n.Open()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// verify demands that e2fsck is silent and that the filesystem shows exactly the tree.
func (m *image) verify(root *ext4.Node) {
	m.t.Helper()
	if diff := cmp.Diff(m.wanted(root), found(m.t, m.open()), cmpopts.EquateEmpty()); diff != "" {
		m.t.Errorf("the filesystem differs from the tree (-want +got):\n%s", diff)
	}
	fsck(m.t, m.path)
}
