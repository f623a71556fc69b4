package inflate

import (
	"fmt"
	"io"
)

// codeLenOrder is the order of the code length code's lengths (RFC 1951, 3.2.7).
var codeLenOrder = [codeLenCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// block reads a block's header (RFC 1951, 3.2.3).
func (r *Reader) block() error {
	head, err := r.take(3)
	if err != nil {
		return err
	}
	r.last = head&1 != 0
	switch head >> 1 {
	case 0:
		return r.storedBlock()
	case 1:
		r.fixedTables()
		r.state = inHuffman
		return nil
	case 2:
		if err := r.dynamicTables(); err != nil {
			return err
		}
		r.state = inHuffman
		return nil
	default:
		return fmt.Errorf("%w: block type 3", ErrCorrupt)
	}
}

func (r *Reader) storedBlock() error {
	r.align()
	b, err := r.bytes(4)
	if err != nil {
		return err
	}
	n, not := uint16(b[0])|uint16(b[1])<<8, uint16(b[2])|uint16(b[3])<<8
	if n != ^not {
		return fmt.Errorf("%w: a stored block's length and its complement differ", ErrCorrupt)
	}
	r.stored = int(n)
	r.state = inStored
	if n == 0 {
		r.endBlock()
	}
	return nil
}

// fixedTables makes the tables of RFC 1951, 3.2.6.
func (r *Reader) fixedTables() {
	var lens [maxLitlenCodes]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	buildTable(r.dec.litlen[:], lens[:], litlenValues[:], litlenPrimary)
	for i := range maxDistCodes {
		lens[i] = 5
	}
	buildTable(r.dec.dist[:], lens[:maxDistCodes], distValues[:], distPrimary)
}

// dynamicTables reads the code lengths of a block and makes its tables
// (RFC 1951, 3.2.7).
func (r *Reader) dynamicTables() error {
	counts, err := r.take(14)
	if err != nil {
		return err
	}
	litlens, dists, codeLens := int(counts&31)+257, int(counts>>5&31)+1, int(counts>>10)+4
	if litlens > 286 || dists > 30 {
		return fmt.Errorf("%w: a block has %d length and %d distance codes", ErrCorrupt, litlens, dists)
	}
	var clens [codeLenCodes]uint8
	for _, at := range codeLenOrder[:codeLens] {
		v, err := r.take(3)
		if err != nil {
			return err
		}
		clens[at] = uint8(v)
	}
	table := r.dec.litlen[:1<<codeLenPrimary] // not in use yet
	if !buildTable(table, clens[:], codeLenValues[:], codeLenPrimary) {
		return fmt.Errorf("%w: the code length code is no code", ErrCorrupt)
	}
	var lens [286 + 30]uint8
	if err := r.codeLengths(lens[:litlens+dists], table); err != nil {
		return err
	}
	if !buildTable(r.dec.litlen[:], lens[:litlens], litlenValues[:], litlenPrimary) ||
		!buildTable(r.dec.dist[:], lens[litlens:litlens+dists], distValues[:], distPrimary) {
		return fmt.Errorf("%w: a block's lengths are no code", ErrCorrupt)
	}
	return nil
}

// codeLengths reads the run-length coded code lengths of both alphabets.
func (r *Reader) codeLengths(lens []uint8, table []uint32) error {
	for i := 0; i < len(lens); {
		if err := r.fill(8); err != nil {
			return err
		}
		r.br.refill()
		e := table[r.br.buf&(1<<codeLenPrimary-1)]
		if e&entryExceptional != 0 {
			return fmt.Errorf("%w: an unused code in the code lengths", ErrCorrupt)
		}
		r.br.buf >>= e & 0xff
		r.br.n -= uint(e & 0xff)
		sym, value, repeat := e>>16, uint8(0), uint32(1)
		switch sym {
		case 16:
			if i == 0 {
				return fmt.Errorf("%w: a code length repeats nothing", ErrCorrupt)
			}
			value, repeat = lens[i-1], 3+r.bits(2)
		case 17:
			repeat = 3 + r.bits(3)
		case 18:
			repeat = 11 + r.bits(7)
		default:
			value = uint8(sym)
		}
		if r.overrun() {
			return io.ErrUnexpectedEOF
		}
		if i+int(repeat) > len(lens) {
			return fmt.Errorf("%w: code lengths run over their end", ErrCorrupt)
		}
		for range repeat {
			lens[i] = value
			i++
		}
	}
	return nil
}

// bits takes n bits that are known to be in the bit buffer.
func (r *Reader) bits(n uint) uint32 {
	v := uint32(r.br.buf & (1<<n - 1))
	r.br.buf >>= n
	r.br.n -= n
	return v
}
