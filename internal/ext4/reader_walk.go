package ext4

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"slices"
	"strings"
)

// Walk calls visit for every name in the filesystem, in the order of a Walker. When visit returns
// fs.SkipDir for a directory its children are left out; any other error ends the walk.
func (fs *FS) Walk(ctx context.Context, visit func(path string, n *Inode) error) error {
	w := fs.walker("/", inoRoot)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		path, n, err := w.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = visit(path, n)
		if errors.Is(err, iofs.SkipDir) {
			w.SkipDir()
			continue
		}
		if err != nil {
			return err
		}
	}
}

// Walker steps through names, a directory before its children and children by name. Paths begin with a
// slash; the root is "/". An image with a directory of two names, with more directory blocks than blocks,
// or with a path longer than 4095 bytes is refused, so that a walk always ends.
type Walker struct {
	fs      *FS
	seen    map[uint32]struct{} // directories
	blocks  uint64              // of these
	pending []step              // the next one last
	dir     *Inode              // returned last, its children not yet pending
	path    string              // of dir
}

type step struct {
	path string
	ino  uint32
}

// NewWalker returns a Walker of the file at path and all below it. The path is as for Lookup.
func (fs *FS) NewWalker(path string) (*Walker, error) {
	n, err := fs.Lookup(path)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" || s == "." })
	return fs.walker("/"+strings.Join(names, "/"), n.Ino), nil
}

func (fs *FS) walker(path string, ino uint32) *Walker {
	return &Walker{fs: fs, seen: map[uint32]struct{}{}, pending: []step{{path, ino}}}
}

// Next returns the next name and its file; io.EOF behind the last.
func (w *Walker) Next() (path string, n *Inode, err error) {
	if w.dir != nil {
		dir := w.dir
		w.dir = nil
		if err := w.enter(w.path, dir); err != nil {
			return "", nil, err
		}
	}
	if len(w.pending) == 0 {
		return "", nil, io.EOF
	}
	last := len(w.pending) - 1
	next := w.pending[last]
	w.pending = w.pending[:last]
	if n, err = w.fs.inode(next.ino); err != nil {
		return "", nil, fmt.Errorf("%q: %w", next.path, err)
	}
	if n.IsDir() {
		w.dir, w.path = n, next.path
	}
	return next.path, n, nil
}

// SkipDir leaves out the children of the directory that Next has returned last.
func (w *Walker) SkipDir() { w.dir = nil }

// enter makes the children of a directory the next names, the first on top.
func (w *Walker) enter(path string, n *Inode) error {
	if _, again := w.seen[n.Ino]; again {
		return fmt.Errorf("%q: directory with two names: %w", path, ErrCorrupt)
	}
	w.seen[n.Ino] = struct{}{}
	if w.blocks += uint64(n.Size / w.fs.blockSize); w.blocks > w.fs.blocks {
		return fmt.Errorf("%q: too many directory blocks: %w", path, ErrCorrupt)
	}
	list, err := n.ReadDir()
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	prefix := strings.TrimSuffix(path, "/") + "/"
	for _, e := range slices.Backward(list) {
		if len(prefix)+len(e.Name) > maxPathLen {
			return fmt.Errorf("path of more than %d bytes: %w", maxPathLen, ErrCorrupt)
		}
		w.pending = append(w.pending, step{prefix + e.Name, e.Ino})
	}
	return nil
}
