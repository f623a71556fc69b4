package imagepull

import (
	"iter"
	"path"
	"slices"
	"strings"

	"banger/internal/ext4"
	"banger/internal/model"
)

// apply lays one layer over the tree (image-spec, layer.md, "Applying
// Changesets"):
//
//  1. its markers hide what lower layers brought, in whatever order they
//     stand among the members,
//  2. its members are put in their order, the last of a name counts,
//  3. hard links whose target came later are made.
//
// The members are used up.
func (t *tree) apply(l *unpacked) error {
	if err := t.hideAll(l); err != nil {
		return err
	}
	return t.putAll(l.members.take())
}

func (t *tree) hideAll(l *unpacked) error {
	declares := declaredBy(&l.members)
	for i := range l.markers {
		if err := t.hide(&l.markers[i], declares); err != nil {
			return err
		}
	}
	l.markers = nil
	return nil
}

func (t *tree) putAll(members iter.Seq[*entry]) error {
	var later []pendingLink
	for e := range members {
		var err error
		if e.kind == hardLink {
			later, err = t.linkOrDefer(e, later)
		} else {
			err = t.put(e)
		}
		if err != nil {
			return err
		}
	}
	return t.linkPending(later)
}

// declaredBy returns a function that tells whether the layer has a member at
// a path. The set is only made when it is asked for, which is seldom.
func declaredBy(members *memberList) func(string) bool {
	var paths map[string]bool
	return func(p string) bool {
		if paths == nil {
			paths = map[string]bool{}
			for e := range members.all() {
				paths[e.path] = true
			}
		}
		return paths[p]
	}
}

// hide carries out a marker. It follows links of lower layers, but not one
// that this layer replaces: what is behind it is not what the marker means.
func (t *tree) hide(e *entry, declares func(string) bool) error {
	if e.kind == opaque {
		dir, err := t.dir(e.path, visit{stop: declares})
		if dir != nil {
			clear(dir.Children)
		}
		return err
	}
	parent, base := splitPath(e.path)
	dir, err := t.dir(parent, visit{stop: declares})
	if dir != nil {
		delete(dir.Children, base)
	}
	return err
}

// put lets a member stand at its path. A directory over a directory takes
// over what is in it; everything else replaces what was there.
func (t *tree) put(e *entry) error {
	if e.path == "" {
		describe(t.root, e.node)
		return nil
	}
	parent, base := splitPath(e.path)
	dir, err := t.dir(parent, visit{make: true})
	if err != nil {
		return err
	}
	if old := dir.Children[base]; isDir(old) && isDir(e.node) {
		describe(old, e.node)
		return nil
	}
	set(dir, base, e.node)
	return nil
}

// describe gives dir the attributes of a later description of it.
func describe(dir, n *ext4.Node) {
	dir.Mode, dir.UID, dir.GID, dir.MTime, dir.Xattrs = n.Mode, n.UID, n.GID, n.MTime, n.Xattrs
}

// pendingLink is a hard link whose target is not there yet.
type pendingLink struct {
	entry *entry
	old   *ext4.Node // at the link's path when its turn came, or nil
}

// linkOrDefer makes a hard link, or adds it to the ones to be made later.
func (t *tree) linkOrDefer(e *entry, later []pendingLink) ([]pendingLink, error) {
	done, err := t.link(e)
	if err != nil || done {
		return later, err
	}
	old, err := t.lookup(e.path)
	return append(later, pendingLink{e, old}), err
}

// link makes a hard link; false when its target is not there.
func (t *tree) link(e *entry) (bool, error) {
	if path.Clean("/"+e.target) == "/"+e.path {
		return false, model.Errorf(model.CodeIntegrity, "%q is a hard link to itself", e.path)
	}
	target, err := t.lookup(e.target)
	if target == nil || err != nil {
		return false, err
	}
	if isDir(target) {
		return false, model.Errorf(model.CodeIntegrity, "%q is a hard link to a directory, %q", e.path, e.target)
	}
	parent, base := splitPath(e.path)
	dir, err := t.dir(parent, visit{make: true})
	if err != nil {
		return false, err
	}
	if dir.Children[base] != target {
		set(dir, base, target)
	}
	return true, nil
}

// linkPending makes the links that waited. Those whose target only a symbolic
// link leads to another of them may need the second round.
func (t *tree) linkPending(later []pendingLink) error {
	for range 2 {
		var left []pendingLink
		for _, p := range targetsFirst(later) {
			done, err := t.linkLate(p)
			if err != nil {
				return err
			}
			if !done {
				left = append(left, p)
			}
		}
		later = left
	}
	if len(later) > 0 {
		e := later[0].entry
		return model.Errorf(model.CodeIntegrity, "%q is a hard link to %q, which does not exist", e.path, e.target)
	}
	return nil
}

// targetsFirst orders links so that one which is the target of another comes
// before it, whatever their order in the archive. Otherwise the last comes
// first, since the last of a name counts.
func targetsFirst(links []pendingLink) []pendingLink {
	at := make(map[string]int, len(links))
	for i, l := range links {
		at[l.entry.path] = i
	}
	ordered, seen := make([]pendingLink, 0, len(links)), make([]bool, len(links))
	for i := len(links) - 1; i >= 0; i-- {
		var chain []int
		for j, ok := i, true; ok && !seen[j]; j, ok = at[strings.TrimPrefix(path.Clean("/"+links[j].entry.target), "/")] {
			seen[j] = true
			chain = append(chain, j)
		}
		for _, j := range slices.Backward(chain) {
			ordered = append(ordered, links[j])
		}
	}
	return ordered
}

// linkLate makes a link that waited, unless a later member took its path.
func (t *tree) linkLate(p pendingLink) (bool, error) {
	now, err := t.lookup(p.entry.path)
	if err != nil {
		return false, err
	}
	if now != p.old {
		return true, nil
	}
	return t.link(p.entry)
}
