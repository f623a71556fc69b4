package ext4

import "encoding/binary"

// journalSizes returns the journal lengths, in blocks, to try for a filesystem of so many blocks: first
// what mke2fs takes, but at most 64 MiB and at least what growing on line needs, then shorter ones down to the least
// that jbd2 accepts. An empty journal is a hole except for its first block.
//
// Growing takes a transaction of a few hundred blocks, one for each reserved block of descriptors
// (ext4_flex_group_add in fs/ext4/resize.c); a transaction may have a quarter of the journal.
func journalSizes(blocks uint64) []uint64 {
	const least = 1024
	most := uint64(16384)
	switch {
	case blocks < 32768:
		most = 2048
	case blocks < 262144:
		most = 4096
	case blocks < 524288:
		most = 8192
	}
	sizes := []uint64{most}
	for n := most / 2; n >= least; n /= 2 {
		sizes = append(sizes, n)
	}
	return sizes
}

// putJournal writes the superblock of an empty version 2 journal (struct journal_superblock_s in
// include/linux/jbd2.h) to a zeroed block. The kernel adds checksums at the first mount.
func putJournal(buf []byte, uuid [16]byte, blocks uint64) {
	be := binary.BigEndian
	for offset, v := range map[int]uint32{
		0x00: 0xC03B3998, // magic
		0x04: 4,          // superblock, version 2
		0x0C: blockSize,
		0x10: uint32(blocks),
		0x14: 1, // first block of the log
		0x18: 1, // first sequence number expected
		0x40: 1, // users
	} {
		be.PutUint32(buf[offset:], v)
	}
	copy(buf[0x30:], uuid[:])
}
