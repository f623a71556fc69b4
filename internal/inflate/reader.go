package inflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	inSize  = 128 << 10
	chunk   = 256 << 10
	outSize = window + chunk + outSlack
	// inPad zero bytes follow the input's last byte, so that the fast loop
	// needs no other end than this one; reading into them is an error.
	inPad = 64
	// unread bytes before pos are kept, since align puts back up to that many.
	unread = 8
)

// state is what the next bits of the stream are.
type state uint8

const (
	atMember state = iota
	atBlock
	inStored
	inHuffman
	atTrailer
)

// Reader inflates a gzip stream of one or more members. Bytes behind the last
// member that are no member are an error.
type Reader struct {
	src io.Reader
	br  bitReader // in is buffer[:end], with inPad more at the end of the input
	end int       // of what src has given
	eof bool

	buffer []byte
	out    []byte
	op     int // next byte to write
	given  int // out[:given] was returned to the caller
	rest   []byte

	state   state
	last    bool // the block is the member's last
	stored  int  // bytes left of a stored block
	crc     uint32
	size    uint32
	members int
	err     error
	dec     decoder
}

// NewReader returns a Reader of src. It reads ahead.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src, buffer: make([]byte, inSize+inPad), out: make([]byte, outSize)}
	r.br.in = r.buffer[:0]
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.Next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo; it saves Read's copy.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		b := r.rest
		r.rest = nil
		if len(b) == 0 {
			var err error
			if b, err = r.Next(); errors.Is(err, io.EOF) {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(b)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// Next returns the next inflated bytes, at least one, which are valid until
// the next call; io.EOF after the last. All of a member's bytes are returned
// before its checksum is verified, so nothing is to be trusted until io.EOF.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.op > len(r.out)-outSlack {
		r.op = copy(r.out, r.out[r.op-window:r.op])
		r.given = r.op
	}
	for {
		full, err := r.step()
		if b := r.out[r.given:r.op]; len(b) > 0 && (full || err != nil || r.state == atTrailer) {
			r.given = r.op
			r.crc = crc32.Update(r.crc, crc32.IEEETable, b)
			r.size += uint32(len(b))
			r.err = err   // told by the next call
			return b, nil //nolint:nilerr // as said
		}
		if err != nil {
			r.err = err
			return nil, err
		}
	}
}

// step decodes one part of the stream. full: there is no room for more output.
func (r *Reader) step() (full bool, err error) {
	switch r.state {
	case atMember:
		return false, r.member()
	case atBlock:
		return false, r.block()
	case inStored:
		return r.copyStored()
	case inHuffman:
		return r.huffman()
	default:
		return false, r.trailer()
	}
}

// fill makes at least n bytes (at most inSlack and a block header's) readable
// at pos, or all there are; behind the last byte there are inPad zeros.
func (r *Reader) fill(n int) error {
	for !r.eof && r.end-r.br.pos < n {
		if shift := r.br.pos - unread; shift > 0 {
			r.end = copy(r.buffer, r.buffer[shift:r.end])
			r.br.pos = unread
		}
		got, err := r.src.Read(r.buffer[r.end:inSize])
		r.end += got
		if errors.Is(err, io.EOF) {
			r.eof = true
			clear(r.buffer[r.end : r.end+inPad])
		} else if err != nil {
			return err
		}
	}
	r.br.in = r.buffer[:r.end]
	if r.eof {
		r.br.in = r.buffer[:r.end+inPad]
	}
	return nil
}

// overrun says whether bits behind the end of the input were taken.
func (r *Reader) overrun() bool {
	return r.eof && r.br.pos-int(r.br.n>>3) > r.end
}

// take returns the next n bits, n at most 32.
func (r *Reader) take(n uint) (uint32, error) {
	if r.br.n < n {
		if err := r.fill(8); err != nil {
			return 0, err
		}
		r.br.refill()
	}
	v := uint32(r.br.buf & (1<<n - 1))
	r.br.buf >>= n
	r.br.n -= n
	if r.overrun() {
		return 0, io.ErrUnexpectedEOF
	}
	return v, nil
}

// align gives up bits to the next byte and puts whole bytes of the bit buffer
// back to the input.
func (r *Reader) align() {
	r.br.pos -= int(r.br.n >> 3)
	r.br.buf, r.br.n = 0, 0
}

// bytes takes n bytes of an aligned stream, valid until the next fill.
func (r *Reader) bytes(n int) ([]byte, error) {
	if err := r.fill(n); err != nil {
		return nil, err
	}
	if r.end-r.br.pos < n {
		return nil, io.ErrUnexpectedEOF
	}
	b := r.buffer[r.br.pos : r.br.pos+n]
	r.br.pos += n
	return b, nil
}

// copyStored copies what it can of a stored block.
func (r *Reader) copyStored() (full bool, err error) {
	if err := r.fill(1); err != nil {
		return false, err
	}
	room := len(r.out) - outSlack + 1 - r.op
	n := min(r.stored, r.end-r.br.pos, room)
	copy(r.out[r.op:], r.buffer[r.br.pos:r.br.pos+n])
	r.op += n
	r.br.pos += n
	r.stored -= n
	switch {
	case r.stored == 0:
		r.endBlock()
	case n == 0 && room > 0:
		return false, io.ErrUnexpectedEOF
	}
	return r.op > len(r.out)-outSlack, nil
}

// huffman decodes as much of a block as input and room allow.
func (r *Reader) huffman() (full bool, err error) {
	if err := r.fill(inSlack); err != nil {
		return false, err
	}
	op, ended, err := r.dec.fastBlock(&r.br, r.out, r.op)
	r.op = op
	if r.overrun() {
		return false, io.ErrUnexpectedEOF
	}
	if err != nil {
		return false, err
	}
	if ended {
		r.endBlock()
	}
	return r.op > len(r.out)-outSlack, nil
}

func (r *Reader) endBlock() {
	r.state = atBlock
	if r.last {
		r.state = atTrailer
	}
}

// trailer checks a member's CRC-32 and length modulo 2^32 (RFC 1952, 2.3.1).
func (r *Reader) trailer() error {
	r.align()
	b, err := r.bytes(8)
	if err != nil {
		return err
	}
	if sum := binary.LittleEndian.Uint32(b); sum != r.crc {
		return fmt.Errorf("%w: checksum is %08x, its trailer says %08x", ErrCorrupt, r.crc, sum)
	}
	if size := binary.LittleEndian.Uint32(b[4:]); size != r.size {
		return fmt.Errorf("%w: length is %d, its trailer says %d", ErrCorrupt, r.size, size)
	}
	r.state = atMember
	return nil
}
