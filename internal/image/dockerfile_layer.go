package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/dockerfile"
	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// addFiles makes a layer of files over the stage's image. They, and the
// directories above them that are missing, get the owner and the mode that own
// says.
func (st *dockerStage) addFiles(ctx context.Context, in dockerfile.Instruction, own ownership, files []newFile) (*imagepush.Image, string, error) {
	tree, err := st.openTree(ctx)
	if err != nil {
		return nil, "", err
	}
	if tree != nil {
		defer tree.Close()
	}
	step := st.made(in)
	img, err := imagepush.AppendLayer(st.build.service.cfg.Cache, st.image, step, func(w io.Writer) error {
		l := &overlay{tar: tar.NewWriter(w), tree: tree, own: own, made: step.Created, written: map[string]byte{}}
		for _, f := range files {
			if err := errors.Join(ctx.Err(), l.add(f)); err != nil {
				return err
			}
		}
		return l.tar.Close()
	})
	if err != nil {
		err = model.Errorf(model.CodeOf(err), "Dockerfile line %d: %s: %w", in.Line, in.Name, err)
	}
	return img, "", err
}

// overlay writes a layer over a tree: symbolic links to directories stay what
// they are, with the directories that they lead to.
type overlay struct {
	tar     *tar.Writer
	tree    *imagetree.Tree // nil: there is nothing
	own     ownership
	made    time.Time       // of what has no time
	written map[string]byte // types, by path
}

func (l *overlay) add(f newFile) error {
	isDir := f.Typeflag == tar.TypeDir
	at, err := resolvePath(l.tree, f.Name, isDir)
	if err != nil {
		return err
	}
	if at == "/" {
		if isDir {
			return nil
		}
		return model.Errorf(model.CodeInvalid, "a file cannot take the place of /")
	}
	if err := l.parents(path.Dir(at)); err != nil {
		return err
	}
	there := l.kind(at)
	switch {
	case there == tar.TypeDir && isDir && (f.keeps || at != path.Clean(f.Name)):
		return nil
	case there == tar.TypeDir && isDir:
	case there == tar.TypeDir:
		return model.Errorf(model.CodeInvalid, "%s is a directory: a file cannot take its place", model.Printable(at))
	case there != 0 && isDir:
		return model.Errorf(model.CodeInvalid, "%s is a file: a directory cannot take its place", model.Printable(at))
	}
	return l.write(at, f)
}

// kind is the type of what is at a path, 0 of nothing.
func (l *overlay) kind(at string) byte {
	if k, found := l.written[at]; found {
		return k
	}
	if l.tree == nil {
		return 0
	}
	info, err := l.tree.FS().Stat(at)
	switch {
	case err != nil:
		return 0
	case info.IsDir():
		return tar.TypeDir
	}
	return tar.TypeReg
}

// parents makes the directories that are missing.
func (l *overlay) parents(dir string) error {
	if dir == "/" || l.kind(dir) == tar.TypeDir {
		return nil
	}
	if l.kind(dir) != 0 {
		return model.Errorf(model.CodeInvalid, "%s is no directory", model.Printable(dir))
	}
	if err := l.parents(path.Dir(dir)); err != nil {
		return err
	}
	parent := newFile{Header: tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, Uid: l.own.uid, Gid: l.own.gid}}
	return l.write(dir, parent)
}

func (l *overlay) write(at string, f newFile) error {
	h := f.Header
	h.Name = strings.TrimPrefix(at, "/")
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	if h.ModTime.IsZero() {
		h.ModTime = l.made
	}
	h.Format = tar.FormatPAX
	l.written[at] = h.Typeflag
	if err := l.tar.WriteHeader(&h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	_, err = io.CopyN(l.tar, r, h.Size)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("reading %s: %w", model.Printable(f.Name), err)
	}
	return nil
}

// maxLinks bounds symbolic links in one path, as Linux does.
const maxLinks = 40

// resolvePath follows the symbolic links of a path within the tree: those in
// its middle, and with last the one at its end.
func resolvePath(tree *imagetree.Tree, name string, last bool) (string, error) {
	at, rest, links := "/", path.Clean("/"+name), 0
	for {
		var part string
		part, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if part == "" {
			return at, nil
		}
		next := path.Join(at, part) // a .. of a link stays below the root
		target, isLink, err := linkAt(tree, next)
		if err != nil {
			return "", err
		}
		if !isLink || rest == "" && !last {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", model.Errorf(model.CodeInvalid, "%s has too many symbolic links", model.Printable(name))
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = target + "/" + rest
	}
}

// linkAt returns the target of the symbolic link at a path.
func linkAt(tree *imagetree.Tree, name string) (string, bool, error) {
	if tree == nil {
		return "", false, nil
	}
	n, err := tree.FS().Lookup(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil || n.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", false, err
	}
	target, err := n.Readlink()
	return target, true, err
}
