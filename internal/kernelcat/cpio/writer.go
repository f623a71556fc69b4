package cpio

import (
	"fmt"
	"io"
	"math"
)

// File type bits of the mode field (inode(7)).
const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeChar = 0o020000
)

// align is what the kernel pads names and bodies to, in bytes.
const align = 4

// Writer writes one archive. Parents are to be written before their children.
type Writer struct {
	w     io.Writer
	inode uint32
	off   int64
}

// NewWriter starts an archive on w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Dir adds a directory.
func (w *Writer) Dir(name string, perm uint32) error {
	return w.header(name, typeDir|perm, 0, 0, 0)
}

// CharDevice adds a character device node.
func (w *Writer) CharDevice(name string, perm, major, minor uint32) error {
	return w.header(name, typeChar|perm, 0, major, minor)
}

// File adds a regular file with the size bytes of r.
func (w *Writer) File(name string, perm uint32, size int64, r io.Reader) error {
	if size < 0 || size > math.MaxUint32 {
		return fmt.Errorf("writing cpio entry %s: size %d does not fit the format", name, size)
	}
	if err := w.header(name, typeFile|perm, size, 0, 0); err != nil {
		return err
	}
	n, err := io.CopyN(w.w, r, size)
	w.off += n
	if err != nil {
		return fmt.Errorf("writing cpio entry %s: %w", name, err)
	}
	return w.pad()
}

// Close ends the archive; the underlying writer stays open.
func (w *Writer) Close() error { return w.header("TRAILER!!!", 0, 0, 0, 0) }

// header writes the 110 bytes of an entry's header, its name and padding.
// Fields in order: magic, inode, mode, uid, gid, links, mtime, size, device
// major and minor, rdev major and minor, length of the name with its NUL,
// checksum (unused).
func (w *Writer) header(name string, mode uint32, size int64, major, minor uint32) error {
	w.inode++
	fields := [...]uint32{w.inode, mode, 0, 0, 1, 0, uint32(size), 0, 0, major, minor, uint32(len(name) + 1), 0}
	entry := []byte("070701")
	for _, f := range fields {
		entry = fmt.Appendf(entry, "%08x", f)
	}
	entry = append(append(entry, name...), 0)
	if err := w.write(entry); err != nil {
		return fmt.Errorf("writing cpio entry %s: %w", name, err)
	}
	return w.pad()
}

func (w *Writer) pad() error {
	return w.write(make([]byte, (align-w.off%align)%align))
}

func (w *Writer) write(b []byte) error {
	n, err := w.w.Write(b)
	w.off += int64(n)
	return err
}
