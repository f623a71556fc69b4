package imagetree

import (
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/model"
)

// List calls visit for the file at path and, when it is a directory, for all
// below it: a directory before its children, children by name. No symbolic
// link is followed. An error of visit ends it.
func (t *Tree) List(ctx context.Context, path string, visit func(model.TreeEntry) error) error {
	w, err := t.fs.NewWalker(path)
	if err != nil {
		return classed(err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		path, n, err := w.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return classed(err)
		}
		info, err := fileInfo(n)
		if err != nil {
			return classed(err)
		}
		e := model.TreeEntry{FileInfo: info}
		e.Path, e.PathBytes = text(path)
		if err := visit(e); err != nil {
			return err
		}
	}
}

func fileInfo(n *ext4.Inode) (model.FileInfo, error) {
	info := model.FileInfo{
		Type: fileType(n.Mode), Mode: n.Mode & 0o7777, UID: n.UID, GID: n.GID,
		Size: n.Size, Links: n.Links, MTime: n.MTime, Major: n.Major, Minor: n.Minor,
	}
	if info.Type == model.TypeSymlink {
		target, err := n.Readlink()
		if err != nil {
			return info, err
		}
		info.Target, info.TargetBytes = text(target)
	}
	return info, nil
}

func fileType(mode uint32) model.FileType {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return model.TypeDir
	case unix.S_IFLNK:
		return model.TypeSymlink
	case unix.S_IFCHR:
		return model.TypeChar
	case unix.S_IFBLK:
		return model.TypeBlock
	case unix.S_IFIFO:
		return model.TypeFIFO
	case unix.S_IFSOCK:
		return model.TypeSocket
	}
	return model.TypeFile
}

// text returns s as JSON can carry it, and its bytes when that loses any.
func text(s string) (string, []byte) {
	if utf8.ValidString(s) {
		return s, nil
	}
	return s, []byte(s)
}
