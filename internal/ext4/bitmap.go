package ext4

import (
	"encoding/binary"
	"math/bits"
)

// bitmap is one bit for each block of the filesystem, in the byte order of the disk, so that group g's
// bitmap block is bytes [g*blockSize, (g+1)*blockSize).
type bitmap []byte

func newBitmap(groups uint32) bitmap { return make(bitmap, int(groups)*blockSize) }

// group returns the bitmap block of a group.
func (m bitmap) group(g uint32) []byte {
	return m[int(g)*blockSize : int(g+1)*blockSize]
}

func (m bitmap) get(b uint64) bool { return m[b/8]&(1<<(b%8)) != 0 }

// set marks n blocks from b on, and reports whether all of them were clear.
func (m bitmap) set(b, n uint64) bool {
	fresh := true
	for n > 0 {
		first := b % 8
		count := min(8-first, n)
		if count == 8 { // whole bytes
			whole := n / 8
			fresh = fillByte(m[b/8:b/8+whole]) && fresh
			b, n = b+8*whole, n-8*whole
			continue
		}
		mask := byte(1<<count-1) << first
		fresh = fresh && m[b/8]&mask == 0
		m[b/8] |= mask
		b, n = b+count, n-count
	}
	return fresh
}

// fillByte sets all bits of p and reports whether all were clear.
func fillByte(p []byte) bool {
	fresh := true
	for i := range p {
		fresh = fresh && p[i] == 0
		p[i] = 0xFF
	}
	return fresh
}

// nextRun returns the first run of blocks in [from, end) whose bit is value; its length is 0 when there is none.
func (m bitmap) nextRun(from, end uint64, value bool) (start, n uint64) {
	start = m.next(from, end, value)
	return start, m.next(start, end, !value) - start
}

// next returns the first block in [from, end) whose bit is value, or end.
func (m bitmap) next(from, end uint64, value bool) uint64 {
	skip := byte(0xFF)
	if value {
		skip = 0
	}
	for b := from; b < end; {
		if b%8 == 0 && m[b/8] == skip {
			b += 8
			continue
		}
		if m.get(b) == value {
			return b
		}
		b++
	}
	return end
}

// countSet returns how many bits of p, whose length is a multiple of 8, are set.
func countSet(p []byte) uint32 {
	n := 0
	for ; len(p) >= 8; p = p[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(p))
	}
	return uint32(n)
}
