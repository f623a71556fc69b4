package archive

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"banger/internal/model"
)

// The "new ASCII" format of cpio (the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst), with and
// without checksums.
const (
	cpioMagic    = "070701"
	cpioMagicCRC = "070702"
	cpioHeader   = 110
	cpioTrailer  = "TRAILER!!!"
	cpioAlign    = 4
	modeType     = 0o170000 // inode(7)
	modeRegular  = 0o100000
)

func isCPIO(head []byte) bool { return hasMagic(head, cpioMagic) || hasMagic(head, cpioMagicCRC) }

// cpioEntries reads a cpio archive.
type cpioEntries struct {
	r    io.Reader
	body *io.LimitedReader // of the last entry
	pad  int64             // behind it
}

// cpioFields are what is used of a header.
type cpioFields struct{ mode, links, size, nameSize int64 }

func (c *cpioEntries) next() (File, error) {
	if err := c.skip(); err != nil {
		return File{}, err
	}
	h, err := c.header()
	if err != nil {
		return File{}, err
	}
	name, err := c.name(h.nameSize)
	if err != nil {
		return File{}, err
	}
	if name == cpioTrailer {
		return File{}, io.EOF
	}
	c.body, c.pad = &io.LimitedReader{R: c.r, N: h.size}, padding(h.size)
	f := File{Name: name, Size: h.size}
	// Of several links to a file only the last entry has the bytes: the
	// others are passed over, as links are.
	if h.mode&modeType == modeRegular && (h.links < 2 || h.size > 0) {
		f.Body = &fullReader{c.body}
	}
	return f, nil
}

// skip passes over what is left of the last entry.
func (c *cpioEntries) skip() error {
	if c.body == nil {
		return nil
	}
	_, err := io.CopyN(io.Discard, c.r, c.body.N+c.pad)
	return unexpected(err)
}

// header reads 13 numbers of 8 hexadecimal digits: inode, mode, owner, group,
// links, time, size, device (2), rdev (2), length of the name, checksum.
func (c *cpioEntries) header() (cpioFields, error) {
	head := make([]byte, cpioHeader)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return cpioFields{}, unexpected(err)
	}
	if !isCPIO(head) {
		return cpioFields{}, errors.New("no cpio header where one has to be")
	}
	raw, err := hex.DecodeString(string(head[len(cpioMagic):]))
	if err != nil {
		return cpioFields{}, fmt.Errorf("bad cpio header: %w", err)
	}
	field := func(i int) int64 {
		b := raw[4*i:]
		return int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
	}
	return cpioFields{mode: field(1), links: field(4), size: field(6), nameSize: field(11)}, nil
}

// name reads a NUL-terminated name of size bytes and its padding.
func (c *cpioEntries) name(size int64) (string, error) {
	if size < 1 || size > maxName {
		return "", model.Errorf(model.CodeIntegrity, "damaged package: a name of %d bytes", size)
	}
	b := make([]byte, size+padding(cpioHeader+size))
	if _, err := io.ReadFull(c.r, b); err != nil {
		return "", unexpected(err)
	}
	name, _, ended := bytes.Cut(b[:size], []byte{0})
	if !ended {
		return "", errors.New("a cpio name without its end")
	}
	return string(name), nil
}

func padding(n int64) int64 { return (cpioAlign - n%cpioAlign) % cpioAlign }
