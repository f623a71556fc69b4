package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Offset and text of a tar header's magic (POSIX ustar; GNU tar's begins
// with the same bytes).
const (
	tarMagicAt = 257
	tarMagic   = "ustar"
	tarBlock   = 512
)

func isTar(head []byte) bool {
	return len(head) >= tarMagicAt+len(tarMagic) && string(head[tarMagicAt:tarMagicAt+len(tarMagic)]) == tarMagic
}

// tarEntries reads a tar archive, or several one after the other, as an
// Alpine package is made: signature, control data and files, of which only
// the last one is ended as tar asks for.
type tarEntries struct {
	r  *bufio.Reader
	tr *tar.Reader
}

func newTarEntries(r *bufio.Reader) *tarEntries { return &tarEntries{r: r, tr: tar.NewReader(r)} }

func (t *tarEntries) next() (File, error) {
	h, err := t.tr.Next()
	for errors.Is(err, io.EOF) && t.another() {
		t.tr = tar.NewReader(t.r)
		h, err = t.tr.Next()
	}
	if err != nil {
		return File{}, err
	}
	f := File{Name: h.Name, Size: h.Size}
	if h.Typeflag == tar.TypeReg {
		f.Body = t.tr
	}
	return f, nil
}

// another skips zero blocks after an archive's end and tells whether a header
// follows.
func (t *tarEntries) another() bool {
	for {
		block, err := t.r.Peek(tarBlock)
		if err != nil {
			return false
		}
		if !bytes.Equal(block, make([]byte, tarBlock)) {
			return isTar(block)
		}
		_, _ = t.r.Discard(tarBlock) // it is buffered
	}
}
