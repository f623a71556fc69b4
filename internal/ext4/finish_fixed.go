package ext4

import (
	"context"
	"encoding/binary"
	"fmt"
)

func fillDevice(in *inode, major, minor uint32) {
	old, wide := encodeDevice(major, minor)
	binary.LittleEndian.PutUint32(in.block[0:], old)
	binary.LittleEndian.PutUint32(in.block[4:], wide)
}

func (b *builder) fillJournalInode(in *inode) error {
	in.size = b.l.journal.n * blockSize
	extents := addRun(nil, 0, b.l.journal.start, b.l.journal.n)
	err := b.meta.writeExtents(in, extents, inodeSeed(b.seed, inoJournal, 0))
	b.journalRoot = in.block
	return err
}

func (b *builder) writeJournal(context.Context) error {
	var buf [blockSize]byte
	putJournal(buf[:], b.opt.UUID, b.l.journal.n)
	if _, err := b.f.WriteAt(buf[:], int64(b.l.journal.start)*blockSize); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// The resize inode owns the reserved descriptor blocks. It is mapped in the old way: its double indirect
// block points to the reserved blocks of group 0, and each of these, as an indirect block, to
// its counterparts in the groups that have copies. Growing turns them into descriptors one by one.
const (
	pointersPerBlock = blockSize / 4
	directPointers   = 12
	dindPointer      = 13
	resizeInodeSize  = (directPointers + pointersPerBlock + pointersPerBlock*pointersPerBlock) * blockSize
)

func (b *builder) reservedBlocks() uint64 { return descBlocks - uint64(b.l.gdtBlocks) }

func (b *builder) fillResizeInode(in *inode) {
	in.size = resizeInodeSize
	in.sectors = (1 + b.reservedBlocks()*uint64(1+len(b.l.copies()))) * (blockSize / 512)
	binary.LittleEndian.PutUint32(in.block[4*dindPointer:], uint32(b.l.dind))
}

// copies returns the groups that hold a copy of superblock and descriptors, group 0 excepted.
func (l *layout) copies() []uint32 {
	var groups []uint32
	for g := uint32(1); g < l.groups; g++ {
		if hasCopy(uint64(g)) {
			groups = append(groups, g)
		}
	}
	return groups
}

func (b *builder) writeResize(context.Context) error {
	le := binary.LittleEndian
	var dind [blockSize]byte
	lists := make([]byte, b.reservedBlocks()*blockSize)
	first := 1 + b.l.gdtBlocks
	copies := b.l.copies()
	for i := range uint32(b.reservedBlocks()) {
		block := first + i
		le.PutUint32(dind[4*(block-1):], block)
		for j, g := range copies {
			le.PutUint32(lists[int(i)*blockSize+4*j:], g*blocksPerGroup+block)
		}
	}
	if _, err := b.f.WriteAt(lists, int64(first)*blockSize); err != nil {
		return fmt.Errorf("writing the resize inode: %w", err)
	}
	if _, err := b.f.WriteAt(dind[:], int64(b.l.dind)*blockSize); err != nil {
		return fmt.Errorf("writing the resize inode: %w", err)
	}
	return nil
}
