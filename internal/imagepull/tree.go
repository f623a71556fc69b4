package imagepull

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/model"
)

// maxFollowed is how many symbolic links one path may lead through: Linux
// gives up with ELOOP after as many (include/linux/namei.h, MAXSYMLINKS).
const maxFollowed = 40

// tree is the filesystem that the layers add up to. Paths are looked up in it
// as a process that is confined to it (chroot) would: absolute links begin at
// the root and ".." ends there.
type tree struct {
	root    *ext4.Node
	limits  Limits
	lookups int64
}

func newTree(limits Limits) *tree {
	return &tree{root: impliedDir(), limits: limits}
}

// impliedDir is a directory that no layer describes: 0755, owned by root.
func impliedDir() *ext4.Node {
	return &ext4.Node{Mode: unix.S_IFDIR | 0o755, MTime: time.Unix(0, 0).UTC(), Children: map[string]*ext4.Node{}}
}

func isType(n *ext4.Node, format uint32) bool { return n != nil && n.Mode&unix.S_IFMT == format }

func isDir(n *ext4.Node) bool { return isType(n, unix.S_IFDIR) }

// visit steers a walk along a path.
type visit struct {
	make bool // directories that are missing are made; files in the way are replaced

	// stop, when set, is asked before a symbolic link is followed that stands
	// at a prefix of the path as it was given.
	stop func(prefix string) bool
}

// dir walks to the directory at path, following links. It returns nil when
// there is none and none is to be made.
func (t *tree) dir(path string, v visit) (*ext4.Node, error) {
	trail := []*ext4.Node{t.root} // the way back for ".."
	rest, followed := path, 0
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		here := trail[len(trail)-1]
		switch name {
		case "", ".":
			continue
		case "..":
			trail = trail[:max(len(trail)-1, 1)]
			continue
		}
		if t.lookups++; t.lookups > t.limits.Lookups {
			return nil, limitError("lookups", t.limits.Lookups, "the names of the image take too long to resolve")
		}
		next := here.Children[name]
		if isType(next, unix.S_IFLNK) {
			if v.stop != nil && followed == 0 && v.stop(prefixOf(path, rest)) {
				return nil, nil
			}
			if followed++; followed > maxFollowed {
				return nil, model.Errorf(model.CodeIntegrity, "%q leads through more than %d symbolic links", path, maxFollowed)
			}
			if strings.HasPrefix(next.Link, "/") {
				trail = trail[:1]
			}
			rest = next.Link + "/" + rest
			continue
		}
		if !isDir(next) {
			if !v.make {
				return nil, nil
			}
			next = impliedDir()
			set(here, name, next)
		}
		if trail = append(trail, next); len(trail) > t.limits.Depth {
			return nil, limitError("depth", t.limits.Depth, "%.40q... is nested too deep", path)
		}
	}
	return trail[len(trail)-1], nil
}

// prefixOf returns the part of path that has been walked when rest is left.
func prefixOf(path, rest string) string {
	return strings.TrimSuffix(path[:len(path)-len(rest)], "/")
}

// lookup returns the node at path, without following a link at its end; nil
// when it is not there.
func (t *tree) lookup(path string) (*ext4.Node, error) {
	parent, base := splitPath(strings.TrimRight(path, "/"))
	if base == "" || base == "." || base == ".." {
		return t.dir(path, visit{})
	}
	dir, err := t.dir(parent, visit{})
	if dir == nil {
		return nil, err
	}
	return dir.Children[base], nil
}

// set makes name in dir stand for n, whatever stood there. Contents that no
// name leads to any more cost nothing: the filesystem leaves them out.
func set(dir *ext4.Node, name string, n *ext4.Node) {
	if dir.Children == nil {
		dir.Children = map[string]*ext4.Node{}
	}
	dir.Children[strings.Clone(name)] = n // name is a part of a path, which is not to be kept for it
}
