package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"banger/internal/model"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
)

// arMember is one member of an ar archive (ar(5), common variant).
type arMember struct {
	name string
	size int64
	body io.Reader
}

// arReader reads members in order; a member's body is skipped by next.
type arReader struct {
	r    io.Reader
	rest int64 // unread bytes of the member with its padding
	body *io.LimitedReader
}

func newArReader(r io.Reader) (*arReader, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != arMagic {
		return nil, model.Errorf(model.CodeIntegrity, "this is no Debian package: the ar signature is missing")
	}
	return &arReader{r: r, body: &io.LimitedReader{}}, nil
}

// next returns the next member, io.EOF after the last.
func (a *arReader) next() (arMember, error) {
	skip := a.body.N + a.rest
	if _, err := io.CopyN(io.Discard, a.r, skip); err != nil {
		return arMember{}, fmt.Errorf("skipping an ar member: %w", unexpected(err))
	}
	head := make([]byte, arHeaderSize)
	if _, err := io.ReadFull(a.r, head); err != nil {
		return arMember{}, err
	}
	m, err := parseArHeader(head)
	if err != nil {
		return arMember{}, err
	}
	a.body = &io.LimitedReader{R: a.r, N: m.size}
	a.rest = m.size % 2
	m.body = &fullReader{a.body}
	return m, nil
}

// parseArHeader reads name (16 bytes), time 12, owner 6, group 6, mode 8,
// size 10, all padded with blanks, and the two ending bytes.
func parseArHeader(head []byte) (arMember, error) {
	if !bytes.HasSuffix(head, []byte("`\n")) {
		return arMember{}, model.Errorf(model.CodeIntegrity, "damaged package: bad ar header")
	}
	size, err := strconv.ParseInt(strings.TrimRight(string(head[48:58]), " "), 10, 64)
	if err != nil || size < 0 {
		return arMember{}, model.Errorf(model.CodeIntegrity, "damaged package: bad ar size %q", head[48:58])
	}
	name := strings.TrimSuffix(strings.TrimRight(string(head[:16]), " "), "/")
	return arMember{name: name, size: size}, nil
}

// fullReader turns the early end of a member into io.ErrUnexpectedEOF.
type fullReader struct{ l *io.LimitedReader }

func (f *fullReader) Read(p []byte) (int, error) {
	n, err := f.l.Read(p)
	if errors.Is(err, io.EOF) && f.l.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
