package ext4

import "hash/crc32"

// castagnoli is read-only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c continues a CRC as the kernel's crc32c does: without the inversions of the usual convention.
func crc32c(crc uint32, p []byte) uint32 {
	return ^crc32.Update(^crc, castagnoli, p)
}

// crc32cUint32 continues a CRC with a little-endian word, and allocates nothing.
func crc32cUint32(crc, v uint32) uint32 {
	for range 4 {
		crc = castagnoli[byte(crc)^byte(v)] ^ crc>>8
		v >>= 8
	}
	return crc
}

// crc32cUint64 is crc32cUint32 for 64 bits.
func crc32cUint64(crc uint32, v uint64) uint32 {
	return crc32cUint32(crc32cUint32(crc, uint32(v)), uint32(v>>32))
}

// filesystemSeed starts the checksums of everything but the superblock.
func filesystemSeed(uuid [16]byte) uint32 { return crc32c(^uint32(0), uuid[:]) }

// inodeSeed starts the checksums of an inode and of its directory and extent blocks.
func inodeSeed(fsSeed, ino, generation uint32) uint32 {
	return crc32cUint32(crc32cUint32(fsSeed, ino), generation)
}
