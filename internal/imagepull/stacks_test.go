package imagepull_test

import (
	"archive/tar"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// stack makes random layers over each other that mean something: names that
// meet again, links and whiteouts of what is there. It keeps what umoci and
// the specification leave open out: parents that no layer names.
type stack struct {
	*rand.Rand
	tree  map[string]byte // path to type, of all layers so far
	fresh map[string]bool // what the layer at hand has named
}

func newStack(seed uint64) *stack {
	return &stack{Rand: rand.New(rand.NewPCG(seed, 12)), tree: map[string]byte{"": tar.TypeDir}}
}

// layers makes one to five layers.
func (s *stack) layers(t *testing.T) [][]byte {
	t.Helper()
	var all [][]byte
	for range 1 + s.IntN(5) {
		all = append(all, archive(t, s.layer()...))
	}
	return all
}

func (s *stack) layer() []member {
	s.fresh = map[string]bool{}
	root := dir("./").with(func(h *tar.Header) { h.Mode, h.ModTime = 0o755, s.time() })
	members := []member{root}
	for range 1 + s.IntN(25) {
		members = append(members, s.entry()...)
	}
	return members
}

// entry is one thing that a layer may do.
func (s *stack) entry() []member {
	switch s.IntN(12) {
	case 0, 1:
		return s.whiteout()
	case 2:
		return s.opaque()
	case 3:
		return s.link()
	case 4, 5, 6:
		return s.add(tar.TypeDir)
	case 7:
		return s.add(tar.TypeSymlink)
	case 8:
		return s.add([]byte{tar.TypeFifo, tar.TypeChar, tar.TypeBlock}[s.IntN(3)])
	default:
		return s.add(tar.TypeReg)
	}
}

// names are few, so that layers meet.
var stackNames = []string{"a", "b", "c", "data", "etc", "ü", "with space", "new\nline", strings.Repeat("long", 50)}

// pick returns a path of that kind, "" when there is none but the root.
func (s *stack) pick(kind byte) string {
	var found []string
	for _, p := range slices.Sorted(maps.Keys(s.tree)) {
		if s.tree[p] == kind && p != "" {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return found[s.IntN(len(found))]
}

func (s *stack) newPath() string {
	parent := ""
	if s.IntN(4) > 0 {
		parent = s.pick(tar.TypeDir)
	}
	if strings.Count(parent, "/") > 6 {
		parent = ""
	}
	return strings.TrimPrefix(parent+"/"+stackNames[s.IntN(len(stackNames))], "/")
}

// put notes that path is now of that kind: what was below is gone, unless
// both are directories.
func (s *stack) put(p string, kind byte) {
	if !(kind == tar.TypeDir && s.tree[p] == tar.TypeDir) {
		s.drop(p)
	}
	s.tree[p], s.fresh[p] = kind, true
}

func (s *stack) drop(p string) {
	for q := range s.tree {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(s.tree, q)
		}
	}
}

func (s *stack) add(kind byte) []member {
	p := s.newPath()
	if s.fresh[p] || s.freshBelow(p) && kind != tar.TypeDir {
		return nil // a layer that contradicts itself is another test's
	}
	s.put(p, kind)
	m := member{Header: tar.Header{
		Name: p, Typeflag: kind, Mode: int64(s.IntN(0o10000)), Uid: s.owner(), Gid: s.owner(), ModTime: s.time(), Format: tar.FormatPAX,
	}}
	switch kind {
	case tar.TypeReg:
		m.body = strings.Repeat(fmt.Sprint(s.Uint64()), s.IntN(300))
		if s.IntN(20) == 0 {
			m.body += strings.Repeat("\x00", 20000) + "end"
		}
		m.Size = int64(len(m.body))
		if s.IntN(8) == 0 {
			m.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
		}
	case tar.TypeDir:
		m.Name += "/"
	case tar.TypeSymlink:
		m.Mode = 0o777
		m.Linkname = []string{"a", "/etc", "../../up", "gone", strings.Repeat("far/", 30)}[s.IntN(5)]
	case tar.TypeChar, tar.TypeBlock:
		m.Devmajor, m.Devminor = 1+s.Int64N(4095), s.Int64N(1<<20)
	}
	return []member{m}
}

// freshBelow tells whether this layer has put anything below p.
func (s *stack) freshBelow(p string) bool {
	for q := range s.fresh {
		if strings.HasPrefix(q, p+"/") {
			return true
		}
	}
	return false
}

// link is a second name of a file of this layer or one below.
func (s *stack) link() []member {
	target, p := s.pick(tar.TypeReg), s.newPath()
	if target == "" || s.fresh[p] || s.freshBelow(p) || p == target || strings.HasPrefix(target, p+"/") {
		return nil
	}
	s.put(p, tar.TypeReg)
	s.fresh[target] = true // it is the layer's now: to replace it would leave p alone with it
	return []member{hardlink(p, target)}
}

func (s *stack) whiteout() []member {
	kinds := []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink}
	p := s.pick(kinds[s.IntN(len(kinds))])
	if p == "" || s.fresh[p] || s.freshBelow(p) {
		return nil
	}
	s.drop(p)
	s.fresh[p] = true
	parent, base := path.Split(p)
	return []member{gone(parent + ".wh." + base)}
}

func (s *stack) opaque() []member {
	p := s.pick(tar.TypeDir)
	if p == "" || s.fresh[p] || s.freshBelow(p) {
		return nil
	}
	s.drop(p)
	s.put(p, tar.TypeDir)
	return []member{
		dir(p + "/").with(func(h *tar.Header) { h.ModTime, h.Format = s.time(), tar.FormatPAX }),
		gone(p + "/.wh..wh..opq"),
	}
}

func (s *stack) owner() int { return []int{0, 0, 1000, 65534, 4_000_000_000}[s.IntN(5)] }

func (s *stack) time() time.Time {
	return time.Unix(s.Int64N(4_000_000_000)-1_000_000_000, s.Int64N(1_000_000_000))
}
