package inflate

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt: the bytes are no valid gzip stream.
var ErrCorrupt = errors.New("invalid gzip data")

const (
	window   = 32 << 10 // how far back a match may lie
	maxMatch = 258
	// outSlack is what the fast loop may write beyond the point where it
	// checks for room: literals, one match, and the tail of a word copy.
	outSlack = maxMatch + 24
	// inSlack is what the fast loop may read beyond the point where it
	// checks: three refills of eight bytes.
	inSlack = 24
)

// decoder holds the tables of the current block.
type decoder struct {
	litlen [litlenTableSize]uint32
	dist   [distTableSize]uint32
}

// bitReader is the state of the bit stream. Bits are taken from the low end
// of buf, of which n are valid; more may be set, but only as in[pos:] says.
type bitReader struct {
	in  []byte
	pos int
	buf uint64
	n   uint
}

// refill makes at least 56 bits valid. There must be 8 bytes at pos.
func (b *bitReader) refill() {
	b.buf |= binary.LittleEndian.Uint64(b.in[b.pos:]) << (b.n & 63)
	b.pos += int((63 - b.n) >> 3)
	b.n |= 56
}

// fastBlock decodes symbols into out[op:] while there is slack on both sides.
// It returns the new op and whether the block has ended.
//
// The bit buffer is refilled to 56 bits or more at the top. The worst path
// takes two literals of 11 bits and then looks at a length of 15+5 bits: 42.
// A second refill makes room for a distance of 15+13 bits.
//
//nolint:funlen // one loop whose state has to stay in registers: a call would spill it for each symbol
func (d *decoder) fastBlock(b *bitReader, out []byte, op int) (int, bool, error) {
	in, pos, buf, n := b.in, b.pos, b.buf, b.n
	inEnd, outEnd := len(in)-inSlack, len(out)-outSlack
	litlen, dist := &d.litlen, &d.dist
	ended := false
	for pos <= inEnd && op <= outEnd {
		buf |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56

		e := litlen[buf&(1<<litlenPrimary-1)]
		if e&entryLiteral != 0 {
			buf >>= e & 63
			n -= uint(e & 0xff)
			out[op] = byte(e >> 16)
			op++
			e = litlen[buf&(1<<litlenPrimary-1)]
			if e&entryLiteral != 0 {
				buf >>= e & 63
				n -= uint(e & 0xff)
				out[op] = byte(e >> 16)
				op++
				e = litlen[buf&(1<<litlenPrimary-1)]
				if e&entryLiteral != 0 {
					buf >>= e & 63
					n -= uint(e & 0xff)
					out[op] = byte(e >> 16)
					op++
					continue
				}
			}
		}
		if e&entryExceptional != 0 {
			if e&entrySubtable != 0 {
				buf >>= litlenPrimary
				n -= litlenPrimary
				e = litlen[e>>16+uint32(buf)&(1<<(e>>8&15)-1)]
				if e&entryLiteral != 0 {
					buf >>= e & 63
					n -= uint(e & 0xff)
					out[op] = byte(e >> 16)
					op++
					continue
				}
			}
			if e&entryExceptional != 0 {
				buf >>= e & 63
				n -= uint(e & 0xff)
				if e&entryEndOfBlock == 0 {
					return op, false, ErrCorrupt
				}
				ended = true
				break
			}
		}
		length := int(e>>16&0x1ff) + int(buf&(1<<(e&63)-1)>>(e>>8&15))
		buf >>= e & 63
		n -= uint(e & 0xff)

		buf |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e = dist[buf&(1<<distPrimary-1)]
		if e&entryExceptional != 0 {
			if e&entrySubtable == 0 {
				return op, false, ErrCorrupt
			}
			buf >>= distPrimary
			n -= distPrimary
			e = dist[e>>16+uint32(buf)&(1<<(e>>8&15)-1)]
			if e&entryExceptional != 0 {
				return op, false, ErrCorrupt
			}
		}
		distance := int(e>>16) + int(buf&(1<<(e&63)-1)>>(e>>8&15))
		buf >>= e & 63
		n -= uint(e & 0xff)
		if distance > op {
			return op, false, ErrCorrupt
		}
		copyMatch(out, op, distance, length)
		op += length
	}
	b.pos, b.buf, b.n = pos, buf, n
	return op, ended, nil
}

// copyMatch writes length bytes that lie distance back to out[op:]. It may
// write up to outSlack bytes; those behind the match are overwritten later.
func copyMatch(out []byte, op, distance, length int) {
	src := op - distance
	switch {
	case distance >= length:
		if length <= 16 {
			s, d := out[src:src+16], out[op:op+16]
			a, b := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
			binary.LittleEndian.PutUint64(d, a)
			binary.LittleEndian.PutUint64(d[8:], b)
			return
		}
		copy(out[op:op+length], out[src:src+length])
	case distance >= 8:
		s, d := out[src:src+length+8], out[op:op+length+8]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(d[i:], binary.LittleEndian.Uint64(s[i:]))
		}
	case distance == 1:
		v := uint64(out[src]) * 0x0101010101010101
		d := out[op : op+length+8]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(d[i:], v)
		}
	default:
		for i := range length {
			out[op+i] = out[src+i]
		}
	}
}
