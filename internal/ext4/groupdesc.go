package ext4

import "encoding/binary"

// groupDesc is struct ext4_group_desc, its low and high halves joined.
type groupDesc struct {
	blockBitmap, inodeBitmap, inodeTable uint64
	freeBlocks, freeInodes, usedDirs     uint32
	inodesUnused                         uint32 // at the end of the table, never written
	flags                                uint16
	blockBitmapSum, inodeBitmapSum       uint32
}

// Offsets of the low halves; a high half lies at its low half's pair below, in 64-byte descriptors.
const (
	gdBlockBitmap    = 0
	gdInodeBitmap    = 4
	gdInodeTable     = 8
	gdFreeBlocks     = 12
	gdFreeInodes     = 14
	gdUsedDirs       = 16
	gdFlags          = 18
	gdBlockBitmapSum = 24
	gdInodeBitmapSum = 26
	gdInodesUnused   = 28
	gdChecksum       = 30
	gdHigh           = 32 // start of the high halves

	gdHighFreeBlocks     = 44
	gdHighFreeInodes     = 46
	gdHighUsedDirs       = 48
	gdHighInodesUnused   = 50
	gdHighBlockBitmapSum = 56
	gdHighInodeBitmapSum = 58
)

// encode writes the descriptor of group to dst[:64].
func (d *groupDesc) encode(dst []byte, seed, group uint32) {
	le := binary.LittleEndian
	for i, v := range [...]uint64{d.blockBitmap, d.inodeBitmap, d.inodeTable} {
		le.PutUint32(dst[4*i:], uint32(v))
		le.PutUint32(dst[gdHigh+4*i:], uint32(v>>32))
	}
	put16 := func(lo, hi int, v uint32) {
		le.PutUint16(dst[lo:], uint16(v))
		le.PutUint16(dst[hi:], uint16(v>>16))
	}
	put16(gdFreeBlocks, gdHighFreeBlocks, d.freeBlocks)
	put16(gdFreeInodes, gdHighFreeInodes, d.freeInodes)
	put16(gdUsedDirs, gdHighUsedDirs, d.usedDirs)
	put16(gdInodesUnused, gdHighInodesUnused, d.inodesUnused)
	put16(gdBlockBitmapSum, gdHighBlockBitmapSum, d.blockBitmapSum)
	put16(gdInodeBitmapSum, gdHighInodeBitmapSum, d.inodeBitmapSum)
	le.PutUint16(dst[gdFlags:], d.flags)
	le.PutUint16(dst[gdChecksum:], 0)
	le.PutUint16(dst[gdChecksum:], groupDescSum(dst[:descSize], seed, group))
}

// groupDescSum is the checksum of a descriptor under metadata_csum, its own field taken as zero.
func groupDescSum(desc []byte, seed, group uint32) uint16 {
	sum := crc32cUint32(seed, group)
	sum = crc32c(sum, desc[:gdChecksum])
	sum = crc32c(sum, []byte{0, 0})
	return uint16(crc32c(sum, desc[gdChecksum+2:]))
}

// inodeTableOf returns where the inode table of a descriptor, of 32 or more bytes, begins.
func inodeTableOf(desc []byte) uint64 {
	le := binary.LittleEndian
	block := uint64(le.Uint32(desc[gdInodeTable:]))
	if len(desc) >= descSize {
		block |= uint64(le.Uint32(desc[gdHigh+gdInodeTable:])) << 32
	}
	return block
}
