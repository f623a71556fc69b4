package ext4

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// writeGroups writes bitmaps, descriptors and superblocks, from what the bitmap says now.
func (b *builder) writeGroups(ctx context.Context) error {
	table := make([]byte, uint64(b.l.gdtBlocks)*blockSize)
	for g := range b.l.groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, err := b.writeBitmaps(g)
		if err != nil {
			return fmt.Errorf("writing the bitmaps of group %d: %w", g, err)
		}
		d.encode(table[g*descSize:], b.seed, g)
		b.freeBlocks += uint64(d.freeBlocks)
	}
	if err := b.writeSupers(table); err != nil {
		return fmt.Errorf("writing superblocks: %w", err)
	}
	return nil
}

// writeBitmaps writes the bitmaps of a group and returns its descriptor. A bitmap that the kernel can
// derive from the descriptor is not written but marked so.
func (b *builder) writeBitmaps(g uint32) (*groupDesc, error) {
	d := &groupDesc{
		blockBitmap: b.l.blockBitmaps[g],
		inodeBitmap: b.l.inodeBitmaps[g],
		inodeTable:  b.l.inodeTables[g],
		usedDirs:    b.dirsIn[g],
		flags:       groupInodeZeroed,
	}
	if err := b.writeBlockBitmap(g, d); err != nil {
		return nil, err
	}
	return d, b.writeInodeBitmap(g, d)
}

func (b *builder) writeBlockBitmap(g uint32, d *groupDesc) error {
	bitmap := b.used.group(g)
	used := countSet(bitmap)
	d.freeBlocks = blocksPerGroup - used
	if b.onlyCopy(g, used) {
		d.flags |= groupBlockUninit
		return nil
	}
	d.blockBitmapSum = crc32c(b.seed, bitmap)
	_, err := b.f.WriteAt(bitmap, int64(d.blockBitmap)*blockSize)
	return err
}

// onlyCopy reports whether the used blocks of a group are just its copy of superblock and descriptors.
// The first and the last group never count as such: mke2fs, too, writes their bitmaps.
func (b *builder) onlyCopy(g, used uint32) bool {
	if g == 0 || g == b.l.groups-1 {
		return false
	}
	if hasCopy(uint64(g)) {
		return used == copyBlocks
	}
	return used == 0
}

func (b *builder) writeInodeBitmap(g uint32, d *groupDesc) error {
	perGroup := uint64(b.l.inodesPerGroup)
	total := b.t.demand().inodes
	used := min(total-min(total, uint64(g)*perGroup), perGroup)
	d.freeInodes = uint32(perGroup - used)
	d.inodesUnused = d.freeInodes
	if used == 0 {
		d.flags |= groupInodeUninit
		return nil
	}
	inodes := make(bitmap, blockSize)
	inodes.set(0, used)
	inodes.set(perGroup, 8*blockSize-perGroup)
	d.inodeBitmapSum = crc32c(b.seed, inodes[:perGroup/8])
	_, err := b.f.WriteAt(inodes, int64(d.inodeBitmap)*blockSize)
	return err
}

// writeSupers writes superblock and descriptors to group 0 and to the groups with copies.
func (b *builder) writeSupers(table []byte) error {
	super := b.superblock()
	both := make([]byte, blockSize+len(table))
	copy(both[blockSize:], table)
	for _, g := range b.l.copies() {
		if err := super.encode(both, g); err != nil {
			return err
		}
		if _, err := b.f.WriteAt(both, int64(g)*blocksPerGroup*blockSize); err != nil {
			return err
		}
	}
	clear(both[:blockSize])
	if err := super.encode(both[superOffset:], 0); err != nil {
		return err
	}
	_, err := b.f.WriteAt(both, 0)
	return err
}

// superblock returns that of a clean filesystem which was never mounted.
func (b *builder) superblock() *superblock {
	l := b.l
	inodes := uint64(l.groups) * uint64(l.inodesPerGroup)
	s := &superblock{
		InodesCount: uint32(inodes), FreeInodes: uint32(inodes - b.t.demand().inodes),
		BlocksCountLo: uint32(l.blocks), BlocksCountHi: uint32(l.blocks >> 32),
		FreeBlocksLo: uint32(b.freeBlocks), FreeBlocksHi: uint32(b.freeBlocks >> 32),
		LogBlockSize: logBlockSize, LogClusterSize: logBlockSize,
		BlocksPerGroup: blocksPerGroup, ClustersPerGroup: blocksPerGroup, InodesPerGroup: l.inodesPerGroup,
		MaxMountCount: 0xFFFF, // no check by count
		Magic:         superMagic, State: stateClean, Errors: 1, Revision: 1,
		FirstInode: inoLostFound, InodeSize: inodeSize, MinExtraIsize: extraIsize, WantExtraIsize: extraIsize,
		Compat: writtenCompat, Incompat: writtenIncompat, ROCompat: writtenROCompat,
		UUID: b.opt.UUID, HashSeed: b.opt.HashSeed, HashVersion: hashHalfMD4, Flags: flagUnsignedHash,
		ReservedGDTBlocks: uint16(b.reservedBlocks()), DescSize: descSize,
		JournalInode: inoJournal, JournalBackupType: 1, JournalBlocks: b.journalBackup(),
		DefaultMountOpts: mountUserXattrACL,
		LogGroupsPerFlex: uint8(bits.TrailingZeros(groupsPerFlex)),
		ChecksumType:     checksumCRC32C,
	}
	copy(s.VolumeName[:], b.opt.Label)
	s.setTimes(b.opt.Time)
	return s
}

// logBlockSize is the block size as a power of two above 1024.
const logBlockSize = 2

// journalBackup is the journal inode's i_block and size, the high half of the size first.
func (b *builder) journalBackup() (words [17]uint32) {
	for i := range 15 {
		words[i] = binary.LittleEndian.Uint32(b.journalRoot[4*i:])
	}
	size := b.l.journal.n * blockSize
	words[15], words[16] = uint32(size>>32), uint32(size)
	return words
}
