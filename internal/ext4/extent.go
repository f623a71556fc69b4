package ext4

import (
	"encoding/binary"
	"slices"
)

// An extent tree is made of nodes of 12-byte entries behind a 12-byte header; blocks end in a checksum.
// Its root lies in i_block.
const (
	extentMagic    = 0xF30A
	extentEntry    = 12
	rootExtents    = (60 - extentEntry) / extentEntry
	blockExtents   = (blockSize - extentEntry - 4) / extentEntry
	extentTail     = extentEntry * (1 + blockExtents)
	maxExtentDepth = 5
)

// extentIndex points from a node to one below.
type extentIndex struct {
	logical uint32
	block   uint64
}

// extentBlocks returns how many blocks the tree of n extents takes outside the inode.
func extentBlocks(n uint64) uint64 {
	var total uint64
	for n > rootExtents {
		n = ceilDiv(n, blockExtents)
		total += n
	}
	return total
}

// writeExtents writes the tree of list and its root into in, and counts its blocks there.
func (m *metaWriter) writeExtents(in *inode, list []extent, seed uint32) error {
	in.flags |= inodeFlagExtents
	in.sectors += blockCount(list) * (blockSize / 512)
	if len(list) <= rootExtents {
		putExtents(in.block[:], list, rootExtents)
		return nil
	}
	level, err := m.writeLeaves(list, seed)
	if err != nil {
		return err
	}
	in.sectors += uint64(len(level)) * (blockSize / 512)
	depth := uint16(1)
	for ; len(level) > rootExtents; depth++ {
		if level, err = m.writeIndexes(level, depth, seed); err != nil {
			return err
		}
		in.sectors += uint64(len(level)) * (blockSize / 512)
	}
	putIndexes(in.block[:], level, rootExtents, depth)
	return nil
}

func (m *metaWriter) writeLeaves(list []extent, seed uint32) ([]extentIndex, error) {
	var up []extentIndex
	for part := range slices.Chunk(list, blockExtents) {
		block, buf, err := m.next()
		if err != nil {
			return nil, err
		}
		putExtents(buf, part, blockExtents)
		sealExtents(buf, seed)
		up = append(up, extentIndex{part[0].logical, block})
	}
	return up, nil
}

func (m *metaWriter) writeIndexes(list []extentIndex, depth uint16, seed uint32) ([]extentIndex, error) {
	var up []extentIndex
	for part := range slices.Chunk(list, blockExtents) {
		block, buf, err := m.next()
		if err != nil {
			return nil, err
		}
		putIndexes(buf, part, blockExtents, depth)
		sealExtents(buf, seed)
		up = append(up, extentIndex{part[0].logical, block})
	}
	return up, nil
}

func putExtentHeader(dst []byte, entries, most int, depth uint16) {
	le := binary.LittleEndian
	le.PutUint16(dst, extentMagic)
	le.PutUint16(dst[2:], uint16(entries))
	le.PutUint16(dst[4:], uint16(most))
	le.PutUint16(dst[6:], depth)
}

func putExtents(dst []byte, list []extent, most int) {
	putExtentHeader(dst, len(list), most, 0)
	for i, e := range list {
		p := dst[extentEntry*(1+i):]
		binary.LittleEndian.PutUint32(p, e.logical)
		binary.LittleEndian.PutUint16(p[4:], uint16(e.count))
		binary.LittleEndian.PutUint16(p[6:], uint16(e.block>>32))
		binary.LittleEndian.PutUint32(p[8:], uint32(e.block))
	}
}

func putIndexes(dst []byte, list []extentIndex, most int, depth uint16) {
	putExtentHeader(dst, len(list), most, depth)
	for i, e := range list {
		p := dst[extentEntry*(1+i):]
		binary.LittleEndian.PutUint32(p, e.logical)
		binary.LittleEndian.PutUint32(p[4:], uint32(e.block))
		binary.LittleEndian.PutUint16(p[8:], uint16(e.block>>32))
	}
}

// sealExtents writes the checksum of an extent block of full capacity.
func sealExtents(buf []byte, seed uint32) {
	binary.LittleEndian.PutUint32(buf[extentTail:], crc32c(seed, buf[:extentTail]))
}
