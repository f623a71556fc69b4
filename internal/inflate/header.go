package inflate

import (
	"fmt"
	"hash/crc32"
	"io"
)

// Flags of a gzip header (RFC 1952, 2.3.1).
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagReserved  = 0xe0
)

// maxHeaderText bounds the file name and the comment of a header.
const maxHeaderText = 64 << 10

// member reads a gzip header, or finds the end of the stream.
func (r *Reader) member() error {
	if err := r.fill(1); err != nil {
		return err
	}
	if r.end == r.br.pos {
		if r.members == 0 {
			return io.ErrUnexpectedEOF
		}
		return io.EOF
	}
	h, err := r.bytes(10)
	if err != nil {
		return err
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		if r.members > 0 {
			return fmt.Errorf("%w: bytes that are no gzip follow its end", ErrCorrupt)
		}
		return fmt.Errorf("%w: it does not begin as gzip does", ErrCorrupt)
	}
	flags, sum := h[3], crc32.ChecksumIEEE(h)
	if flags&flagReserved != 0 {
		return fmt.Errorf("%w: reserved header flags %#x are set", ErrCorrupt, flags)
	}
	if err := r.skipHeader(flags, sum); err != nil {
		return err
	}
	r.members++
	r.crc, r.size = 0, 0
	r.op, r.given = 0, 0 // a match cannot reach into the member before
	r.state = atBlock
	return nil
}

// skipHeader passes over the optional parts of a header.
func (r *Reader) skipHeader(flags byte, sum uint32) error {
	if flags&flagExtra != 0 {
		b, err := r.bytes(2)
		if err != nil {
			return err
		}
		sum = crc32.Update(sum, crc32.IEEETable, b)
		for left := int(b[0]) | int(b[1])<<8; left > 0; {
			n := min(left, 4096)
			if b, err = r.bytes(n); err != nil {
				return err
			}
			sum = crc32.Update(sum, crc32.IEEETable, b)
			left -= n
		}
	}
	for _, text := range []byte{flagName, flagComment} {
		if flags&text == 0 {
			continue
		}
		var err error
		if sum, err = r.skipText(sum); err != nil {
			return err
		}
	}
	if flags&flagHeaderCRC == 0 {
		return nil
	}
	b, err := r.bytes(2)
	if err != nil {
		return err
	}
	if got := uint16(b[0]) | uint16(b[1])<<8; got != uint16(sum) {
		return fmt.Errorf("%w: header checksum is %04x, it says %04x", ErrCorrupt, uint16(sum), got)
	}
	return nil
}

func (r *Reader) skipText(sum uint32) (uint32, error) {
	for range maxHeaderText {
		b, err := r.bytes(1)
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, crc32.IEEETable, b)
		if b[0] == 0 {
			return sum, nil
		}
	}
	return 0, fmt.Errorf("%w: a header text has more than %d bytes", ErrCorrupt, maxHeaderText)
}
