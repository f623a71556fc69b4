package ext4

import (
	"context"
	"slices"
	"strings"
)

const lostFoundName = "lost+found"

// tree is what a scan learns of a root: the numbers of all inodes and what they take on disk.
type tree struct {
	mark    *scanMark
	opt     *Options
	chunks  *chunkMap
	written uint64    // no body lies at or behind this block
	dirs    []dirPlan // in the order of their inode numbers
	nodes   []*Node   // nodes[i] has inode number inoLostFound+i

	bodies uint64 // blocks of bodies
	meta   uint64 // blocks of directories, attributes, link targets and extent trees
	end    uint64 // behind the last block of a body
}

// scan checks a tree, numbers its inodes breadth-first and measures it. It does not recurse and visits
// every directory once, so neither depth nor a cycle hurts it.
func (w *Writer) scan(ctx context.Context, root *Node) (*tree, error) {
	t := &tree{mark: new(scanMark), opt: &w.opt, chunks: &w.ordered, written: w.bodies.end(), end: copyBlocks}
	if err := t.addRoot(root); err != nil {
		return nil, err
	}
	for i := 0; i < len(t.dirs); i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.scanDir(i); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// addRoot enters the root and lost+found, which have fixed numbers. A root without lost+found gets one.
func (t *tree) addRoot(root *Node) error {
	if root == nil || !root.isDir() {
		return &NodeError{"/", "the root is not a directory"}
	}
	root.seen, root.ino, root.links = t.mark, inoRoot, 1
	t.dirs = append(t.dirs, dirPlan{node: root})
	if reason := t.measure(root); reason != "" {
		return &NodeError{"/", reason}
	}
	lost := root.Children[lostFoundName]
	if lost == nil {
		lost = &Node{Mode: typeDir | 0o700, MTime: t.opt.Time}
	} else if !lost.isDir() {
		return &NodeError{"/" + lostFoundName, "is not a directory"}
	}
	return t.visit(0, lostFoundName, lost)
}

// lostFound returns the node of lost+found.
func (t *tree) lostFound() *Node { return t.nodes[0] }

// scanDir enters the children of a directory in the order of their names, and plans its blocks.
func (t *tree) scanDir(i int) error {
	entries, err := t.collect(i)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if i == 0 && e.node == t.lostFound() && e.name == lostFoundName {
			continue
		}
		if err := t.visit(i, e.name, e.node); err != nil {
			return err
		}
	}
	d := &t.dirs[i]
	if !d.plan(entries, t.opt.HashSeed, i == 1) {
		return &NodeError{t.path(i), "too many entries for one directory"}
	}
	t.meta += d.metaBlocks()
	return nil
}

// collect returns the children of a directory by name.
func (t *tree) collect(i int) ([]dirEntry, error) {
	children := t.dirs[i].node.Children
	entries := make([]dirEntry, 0, len(children)+1)
	for name, node := range children {
		if reason := checkName(name); reason != "" {
			return nil, &NodeError{t.path(i) + "/" + name, reason}
		}
		if node == nil {
			return nil, &NodeError{t.path(i) + "/" + name, "no node"}
		}
		entries = append(entries, dirEntry{name: name, node: node})
	}
	if i == 0 && children[lostFoundName] == nil {
		entries = append(entries, dirEntry{name: lostFoundName, node: t.lostFound()})
	}
	slices.SortFunc(entries, func(a, b dirEntry) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

// visit enters a name of directory parent: a new inode, or one more link to an old one.
func (t *tree) visit(parent int, name string, n *Node) error {
	fail := func(reason string) error { return &NodeError{t.childPath(parent, name), reason} }
	pathLen := t.dirs[parent].pathLen + 1 + len(name)
	switch {
	case pathLen > maxPathLen:
		return fail("the path is longer than 4095 bytes")
	case n.seen == t.mark && n.isDir():
		return fail("the directory has two names, or contains itself")
	case n.seen == t.mark && n.links == maxLinks:
		return fail("the file has more than 65000 hard links")
	case n.seen == t.mark:
		n.links++
		return nil
	case uint64(len(t.nodes))+inoLostFound > 1<<32-1:
		return fail("too many inodes")
	}
	n.seen, n.ino, n.links = t.mark, uint32(inoLostFound+len(t.nodes)), 1
	t.nodes = append(t.nodes, n)
	if n.isDir() {
		t.dirs[parent].subdirs++
		t.dirs = append(t.dirs, dirPlan{node: n, name: name, parent: parent, pathLen: pathLen})
	}
	if reason := t.measure(n); reason != "" {
		return fail(reason)
	}
	return nil
}

// measure checks a node and counts what it takes outside its inode, a directory's entries excepted. It
// returns why the node is impossible, or "".
func (t *tree) measure(n *Node) string {
	if reason := n.check(); reason != "" {
		return reason
	}
	if n.Mode&typeMask == typeLink && len(n.Link) > maxFastLink {
		t.meta++
	}
	if len(n.Xattrs) > 0 {
		_, inBlock, reason := placeXattrs(n.Xattrs)
		if reason != "" {
			return reason
		}
		if len(inBlock) > 0 {
			t.meta++
		}
	}
	t.chunks.resolve(&n.Body)
	for _, e := range n.Body.extents {
		if e.end() > t.written {
			return "its body was written to another filesystem"
		}
		t.end = max(t.end, e.end())
	}
	t.bodies += blockCount(n.Body.extents)
	t.meta += extentBlocks(uint64(len(n.Body.extents)))
	return ""
}

// childPath returns the path of a name in directory i.
func (t *tree) childPath(i int, name string) string { return t.path(i) + "/" + name }

// path returns the path of directory i; the root's is empty.
func (t *tree) path(i int) string {
	var names []string
	for ; i != 0; i = t.dirs[i].parent {
		names = append(names, t.dirs[i].name)
	}
	var path strings.Builder
	for _, name := range slices.Backward(names) {
		path.WriteString("/" + name)
	}
	return path.String()
}

// demand is what the tree asks of a layout that leaves the bodies where they are.
func (t *tree) demand() demand {
	return demand{inodes: inoLostFound - 1 + uint64(len(t.nodes)), meta: t.meta}
}

// packedEnd is where the bodies would end if there were no gaps between them.
func (t *tree) packedEnd() uint64 { return advance(copyBlocks, t.bodies) }

// packedDemand is the demand after the gaps were closed: a body that was split to fill them may need more
// extent blocks.
func (t *tree) packedDemand() demand {
	d := t.demand()
	d.meta += 64 + t.bodies/256
	return d
}
