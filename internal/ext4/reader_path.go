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

var errNotDir = errors.New("not a directory")

// Root returns the root directory.
func (fs *FS) Root() (*Inode, error) { return fs.inode(inoRoot) }

// Lookup returns the file at a path from the root, with or without a leading slash. It follows no
// symbolic link, not even in the middle of the path, and knows no "..". Errors are *fs.PathError; a
// missing file is fs.ErrNotExist.
func (fs *FS) Lookup(path string) (*Inode, error) {
	n, err := fs.lookup(path)
	if err != nil {
		return nil, &iofs.PathError{Op: "lookup", Path: path, Err: err}
	}
	return n, nil
}

func (fs *FS) lookup(path string) (*Inode, error) {
	n, err := fs.Root()
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
			continue
		case "..":
			return nil, iofs.ErrInvalid
		}
		ino, ok, err := n.find(name)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, iofs.ErrNotExist
		}
		if n, err = fs.inode(ino); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Stat returns what stat(2), without following a link, tells of the file at path.
func (fs *FS) Stat(path string) (Info, error) {
	n, err := fs.Lookup(path)
	if err != nil {
		return Info{}, err
	}
	return n.Info, nil
}

// ReadDir returns the entries of the directory at path by name.
func (fs *FS) ReadDir(path string) ([]DirEntry, error) {
	n, err := fs.Lookup(path)
	if err != nil {
		return nil, err
	}
	return n.ReadDir()
}

// OpenFile returns the content of the regular file at path.
func (fs *FS) OpenFile(path string) (*io.SectionReader, error) {
	n, err := fs.Lookup(path)
	if err != nil {
		return nil, err
	}
	return n.Open()
}

// Readlink returns the target of the symbolic link at path.
func (fs *FS) Readlink(path string) (string, error) {
	n, err := fs.Lookup(path)
	if err != nil {
		return "", err
	}
	return n.Readlink()
}

// Xattrs returns the extended attributes of the file at path by full name.
func (fs *FS) Xattrs(path string) (map[string][]byte, error) {
	n, err := fs.Lookup(path)
	if err != nil {
		return nil, err
	}
	return n.Xattrs()
}

// Walk calls visit for every name in the filesystem, a directory before its children and children by
// name. Paths begin with a slash; the root is "/". When visit returns fs.SkipDir for a directory its
// children are left out; any other error ends the walk. An image with a directory of two names, with more
// directory blocks than blocks, or with a path longer than 4095 bytes is refused, so that a walk always ends.
func (fs *FS) Walk(ctx context.Context, visit func(path string, n *Inode) error) error {
	w := walker{fs: fs, seen: map[uint32]struct{}{}, pending: []step{{path: "/", ino: inoRoot}}}
	for len(w.pending) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		last := len(w.pending) - 1
		next := w.pending[last]
		w.pending = w.pending[:last]
		if err := w.visit(next, visit); err != nil {
			return err
		}
	}
	return nil
}

type walker struct {
	fs      *FS
	seen    map[uint32]struct{} // directories
	blocks  uint64              // of these
	pending []step              // the next one last
}

type step struct {
	path string
	ino  uint32
}

func (w *walker) visit(s step, visit func(string, *Inode) error) error {
	n, err := w.fs.inode(s.ino)
	if err != nil {
		return fmt.Errorf("%q: %w", s.path, err)
	}
	err = visit(s.path, n)
	if !n.IsDir() || errors.Is(err, iofs.SkipDir) {
		if errors.Is(err, iofs.SkipDir) {
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	if _, again := w.seen[s.ino]; again {
		return fmt.Errorf("%q: directory with two names: %w", s.path, ErrCorrupt)
	}
	w.seen[s.ino] = struct{}{}
	if w.blocks += uint64(n.Size / w.fs.blockSize); w.blocks > w.fs.blocks {
		return fmt.Errorf("%q: too many directory blocks: %w", s.path, ErrCorrupt)
	}
	return w.push(s.path, n)
}

// push enters the children of a directory, the first on top.
func (w *walker) push(path string, n *Inode) error {
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
