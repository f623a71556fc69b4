package ext4

import (
	"encoding/binary"
	"math/bits"
)

// AppendTo appends b to buf in a form that takes few bytes and that CutBody
// reads, in this process: for trees that are put together later.
func (b Body) AppendTo(buf []byte) []byte {
	buf = binary.AppendUvarint(buf, uint64(b.size))
	buf = binary.AppendUvarint(buf, uint64(len(b.extents)))
	for _, e := range b.extents {
		buf = binary.AppendUvarint(buf, uint64(e.logical))
		buf = binary.AppendUvarint(buf, uint64(e.count))
		buf = binary.AppendUvarint(buf, bits.RotateLeft64(e.block, 1)) // inChunk, the highest bit, would make it long
	}
	return buf
}

// CutBody returns the body that AppendTo has put at the front of buf, and what
// follows it.
func CutBody(buf []byte) (Body, []byte) {
	next := func() uint64 {
		v, n := binary.Uvarint(buf)
		buf = buf[n:]
		return v
	}
	b := Body{size: int64(next())}
	if n := next(); n > 0 {
		b.extents = make([]extent, n)
	}
	for i := range b.extents {
		b.extents[i] = extent{logical: uint32(next()), count: uint32(next()), block: bits.RotateLeft64(next(), -1)}
	}
	return b, buf
}
