package imagepush

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"
	"time"

	"banger/internal/ext4"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// maxContent bounds what a layer unpacks to, in bytes: a guest can make a file
// of many terabytes out of nothing.
const maxContent = 64 << 30

// copyBuffer is how much of a file is copied at once, in bytes.
const copyBuffer = 256 << 10

// WriteTree writes all files of a tree to w as a tar archive.
func WriteTree(ctx context.Context, w io.Writer, tree *imagetree.Tree, report model.Report) error {
	return writeLayer(ctx, w, tree.FS(), &plan{all: true}, report)
}

// WriteDiff writes the layer of a difference to w.
func WriteDiff(ctx context.Context, w io.Writer, d Difference, report model.Report) error {
	p, err := d.plan(ctx)
	if err != nil {
		return err
	}
	return writeLayer(ctx, w, d.To.FS(), p, report)
}

func writeLayer(ctx context.Context, w io.Writer, fsys *ext4.FS, p *plan, report model.Report) error {
	l := &layerWriter{
		tar: tar.NewWriter(w), plan: p, first: map[uint32]string{},
		buf: make([]byte, copyBuffer), left: maxContent, skipped: map[string]int{},
	}
	err := fsys.Walk(ctx, func(name string, n *ext4.Inode) error {
		if !p.has(name) {
			return nil
		}
		if err := l.add(ctx, name, n); err != nil {
			return fmt.Errorf("writing %s: %w", model.Printable(name), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, reason := range []string{skippedSocket, skippedOverlay, skippedWhiteout} {
		if n := l.skipped[reason]; n > 0 {
			report(model.Progress{Note: fmt.Sprintf("left out: %s (%d)", reason, n)})
		}
	}
	return l.tar.Close()
}

// layerWriter writes the members of a layer.
type layerWriter struct {
	tar     *tar.Writer
	plan    *plan
	first   map[uint32]string // first name that was written, by inode
	buf     []byte
	left    int64 // bytes of content that may still come
	skipped map[string]int
}

// add writes a name, and behind a directory what is hidden in it.
func (l *layerWriter) add(ctx context.Context, name string, n *ext4.Inode) error {
	if reason := SkipReason(name, n); reason != "" {
		l.skipped[reason]++
		return nil
	}
	if name == lostFound && n.IsDir() {
		if children, err := n.ReadDir(); err != nil || len(children) == 0 {
			return err
		}
	}
	h, err := Header(name, n)
	if err != nil {
		return err
	}
	if !n.IsDir() && n.Links > 1 {
		if first, again := l.first[n.Ino]; again {
			h.Typeflag, h.Linkname, h.Size, h.PAXRecords = tar.TypeLink, memberName(first), 0, nil
			return l.tar.WriteHeader(h)
		}
		l.first[n.Ino] = name
	}
	if err := l.tar.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeReg {
		return l.content(ctx, n)
	}
	return l.whiteouts(name)
}

func (l *layerWriter) content(ctx context.Context, n *ext4.Inode) error {
	if l.left -= n.Size; l.left < 0 {
		return model.Errorf(model.CodeLimit, "the files hold more than %d bytes", int64(maxContent))
	}
	body, err := n.Open()
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{l.tar}, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return body.Read(p)
	}), l.buf)
	return err
}

func (l *layerWriter) whiteouts(dir string) error {
	for _, name := range l.plan.removed[dir] {
		h := &tar.Header{
			Name: memberName(path.Join(dir, whiteoutPrefix+name)), Typeflag: tar.TypeReg,
			ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}
		if err := l.tar.WriteHeader(h); err != nil {
			return err
		}
	}
	return nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
