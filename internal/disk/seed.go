package disk

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
)

// dirMode is the type of a directory, as in stat(2).
const dirMode = unix.S_IFDIR

// Seed is a directory of an image's root filesystem that a new filesystem
// begins as a copy of. A directory that is missing is one of the owner's that
// is empty.
type Seed struct {
	Rootfs   string // an ext4 image, which may be hostile
	Dir      string // absolute
	UID, GID uint32 // owner of a directory that is missing
}

// planter copies a tree from one filesystem to another.
type planter struct {
	from   string
	stream *ext4.Stream
	nodes  map[string]*ext4.Node // directories, by path
	links  map[uint32]*ext4.Node // files with several names, by inode
}

// plant copies the directory's tree into w and returns its root: owners, modes,
// times, attributes, links and devices as they are.
func (s *Seed) plant(ctx context.Context, w *ext4.Writer) (root *ext4.Node, err error) {
	f, err := os.Open(s.Rootfs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fs, err := ext4.Open(f)
	if err != nil {
		return nil, err
	}
	dir, err := resolve(fs, s.Dir)
	if err == nil {
		var info ext4.Info
		if info, err = fs.Stat(dir); err == nil && !info.IsDir() {
			err = iofs.ErrNotExist // what is mounted there covers it
		}
	}
	if errors.Is(err, iofs.ErrNotExist) {
		return &ext4.Node{Mode: dirMode | 0o755, UID: s.UID, GID: s.GID, MTime: time.Now()}, nil
	}
	if err != nil {
		return nil, err
	}
	p := &planter{from: dir, stream: w.NewStream(), nodes: map[string]*ext4.Node{}, links: map[uint32]*ext4.Node{}}
	err = fs.Walk(ctx, p.visit)
	return p.nodes[dir], errors.Join(err, p.stream.Close())
}

// visit takes one file of the walk through the whole image.
func (p *planter) visit(name string, n *ext4.Inode) error {
	below := p.from == "/" || name == p.from || strings.HasPrefix(name, p.from+"/")
	if !below {
		if n.IsDir() && name != "/" && !strings.HasPrefix(p.from, name+"/") {
			return iofs.SkipDir
		}
		return nil
	}
	node, err := p.copyOf(n)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if n.IsDir() {
		p.nodes[name] = node
	}
	if name != p.from {
		p.nodes[path.Dir(name)].Children[path.Base(name)] = node
	}
	return nil
}

// copyOf returns the node of a file, the same one for each of its names.
func (p *planter) copyOf(n *ext4.Inode) (*ext4.Node, error) {
	if known := p.links[n.Ino]; known != nil {
		return known, nil
	}
	attrs, err := n.Xattrs()
	if err != nil {
		return nil, err
	}
	node := &ext4.Node{Mode: n.Mode, UID: n.UID, GID: n.GID, MTime: n.MTime, Xattrs: attrs, Major: n.Major, Minor: n.Minor}
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		node.Children = map[string]*ext4.Node{}
		return node, nil
	case unix.S_IFLNK:
		node.Link, err = n.Readlink()
	case unix.S_IFREG:
		err = p.copyBody(node, n)
	}
	if n.Links > 1 {
		p.links[n.Ino] = node
	}
	return node, err
}

func (p *planter) copyBody(node *ext4.Node, n *ext4.Inode) error {
	body, err := n.Open()
	if err != nil {
		return err
	}
	node.Body, err = p.stream.WriteBody(body, n.Size)
	return err
}

// maxLinks is how many symbolic links may be on a way, as for the kernel.
const maxLinks = 40

// resolve returns where a path of an image leads, links followed inside it.
func resolve(fs *ext4.FS, name string) (string, error) {
	done, rest, links := "/", strings.Split(name, "/"), 0
	for len(rest) > 0 {
		next := rest[0]
		rest = rest[1:]
		if next == "" || next == "." {
			continue
		}
		at := path.Join(done, next) // "..": no link is left in done
		n, err := fs.Lookup(at)
		if err != nil {
			return "", err
		}
		if n.Mode&unix.S_IFMT != unix.S_IFLNK {
			done = at
			continue
		}
		target, err := n.Readlink()
		if links++; err != nil || links > maxLinks {
			return "", errors.Join(err, &iofs.PathError{Op: "resolve", Path: name, Err: unix.ELOOP})
		}
		if path.IsAbs(target) {
			done = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}
