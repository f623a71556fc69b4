package ext4

import (
	"errors"
	"io"
	iofs "io/fs"
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
		if !n.IsDir() {
			return nil, iofs.ErrNotExist
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
