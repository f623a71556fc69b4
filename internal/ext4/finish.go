package ext4

import (
	"context"
	"fmt"
)

// FinishOptions are what Finish is told beside the tree.
type FinishOptions struct {
	// SizeBytes is the wanted size of filesystem and file, rounded down to whole blocks. When the last
	// group would be too small for its own metadata the filesystem ends before it. 0 takes the smallest.
	SizeBytes int64
}

// Stats describes a finished filesystem.
type Stats struct {
	Inodes     int64 // in use, the 10 reserved ones included
	FreeInodes int64
	Blocks     int64 // of 4096 bytes
	FreeBlocks int64
	BytesUsed  int64
	BytesFree  int64
}

// Finish makes the filesystem whole: root's tree with the bodies that were streamed, in a file of the
// wanted size. It does not sync. Errors: *NodeError for a tree that ext4 cannot hold and *SizeError
// for a size that is too small leave the Writer usable; after any other the image is lost.
//
//	order    move chunks of the streams to where they always are
//	scan     check, number and measure the tree
//	settle   lay the filesystem out; close the gaps between bodies if it does not fit otherwise
//	mark     enter everything with a known place in the block bitmap
//	clear    make zeros of all other blocks that streams have written
//	inodes   inodes, directories, attributes, link targets, extent trees
//	journal  the journal's superblock
//	resize   the lists of reserved descriptor blocks
//	groups   bitmaps, descriptors, superblock and their copies
func (w *Writer) Finish(ctx context.Context, root *Node, opt FinishOptions) (Stats, error) {
	if err := w.ready(); err != nil {
		return Stats{}, err
	}
	if err := w.orderChunks(ctx); err != nil {
		return Stats{}, err
	}
	t, err := w.scan(ctx, root)
	if err != nil {
		return Stats{}, err
	}
	size := opt.SizeBytes
	if size == 0 {
		size = w.need(t)
	}
	t, l, err := w.settle(ctx, root, t, size)
	if err != nil {
		return Stats{}, err
	}
	b := newBuilder(w, t, l)
	if err := b.mark(); err != nil {
		return Stats{}, err
	}
	w.done = true
	steps := []func(context.Context) error{b.clear, b.writeInodes, b.writeJournal, b.writeResize, b.writeGroups}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return Stats{}, err
		}
	}
	if err := w.f.Truncate(size / blockSize * blockSize); err != nil {
		return Stats{}, fmt.Errorf("setting the size of the image: %w", err)
	}
	return b.stats(), nil
}

// settle returns the layout of a filesystem of size bytes, and the tree: a new scan of it when bodies had
// to move.
func (w *Writer) settle(ctx context.Context, root *Node, t *tree, size int64) (*tree, *layout, error) {
	blocks := uint64(max(size, 0)) / blockSize
	if blocks <= copyBlocks || blocks > maxBlocks {
		return nil, nil, &SizeError{Have: size, Need: w.need(t)}
	}
	if l, ok := fit(blocks, t.end, t.demand()); ok {
		return t, &l, nil
	}
	if _, ok := fit(blocks, t.packedEnd(), t.packedDemand()); !ok {
		return nil, nil, &SizeError{Have: size, Need: w.need(t)}
	}
	if err := w.compact(ctx, t, t.bodyLimit(blocks)); err != nil {
		return nil, nil, err
	}
	t, err := w.scan(ctx, root)
	if err != nil {
		return nil, nil, err
	}
	l, ok := fit(blocks, t.end, t.demand())
	if !ok {
		return nil, nil, &SizeError{Have: size, Need: w.need(t)}
	}
	return t, &l, nil
}

// bodyLimit returns behind which block no body may lie in a filesystem of so many blocks, which has room for
// all of them before it.
func (t *tree) bodyLimit(blocks uint64) uint64 {
	limit, above := t.packedEnd(), t.end // the first fits, the second does not
	for above-limit > 1 {
		middle := limit + (above-limit)/2
		if _, ok := fit(blocks, middle, t.packedDemand()); ok {
			limit = middle
		} else {
			above = middle
		}
	}
	return limit
}

// builder holds what the steps of Finish share.
type builder struct {
	f    File
	opt  *Options
	t    *tree
	l    *layout
	seed uint32

	used    bitmap
	meta    metaWriter
	table   tableWriter
	nextDir int      // in t.dirs, of the next directory inode
	dirsIn  []uint32 // directories, by group

	journalRoot [60]byte // i_block of the journal, for its backup in the superblock
	freeBlocks  uint64
}

func newBuilder(w *Writer, t *tree, l *layout) *builder {
	b := &builder{
		f: w.f, opt: &w.opt, t: t, l: l,
		seed:   filesystemSeed(w.opt.UUID),
		used:   newBitmap(l.groups),
		dirsIn: make([]uint32, l.groups),
	}
	buffer := func(most uint64) []byte { return make([]byte, 0, min(most, bufferBlocks)*blockSize) }
	b.meta = metaWriter{f: w.f, used: b.used, cursor: l.meta.start, end: l.meta.start + l.meta.n, buf: buffer(l.meta.n)}
	b.table = tableWriter{f: w.f, l: l, buf: buffer(l.tableBlocks())}
	return b
}

// mark enters bodies and fixed metadata in the bitmap. A block that has two owners is an error.
func (b *builder) mark() error {
	b.used.set(b.l.blocks, uint64(b.l.groups)*blocksPerGroup-b.l.blocks) // beyond the end
	for g := range b.l.groups {
		if hasCopy(uint64(g)) {
			b.used.set(uint64(g)*blocksPerGroup, copyBlocks)
		}
		b.used.set(b.l.blockBitmaps[g], 1)
		b.used.set(b.l.inodeBitmaps[g], 1)
		b.used.set(b.l.inodeTables[g], b.l.tableBlocks())
	}
	b.used.set(b.l.dind, 1)
	b.used.set(b.l.journal.start, b.l.journal.n)
	return b.t.markBodies(b.used, b.l.blocks)
}

// markBodies enters the parts of all bodies that lie below end.
func (t *tree) markBodies(used bitmap, end uint64) error {
	for _, n := range t.nodes {
		for _, e := range n.Body.extents {
			if e.block < end && !used.set(e.block, min(e.end(), end)-e.block) {
				return fmt.Errorf("inode %d shares blocks with another: a Body was used twice", n.ino)
			}
		}
	}
	return nil
}

// stats counts what the steps have left.
func (b *builder) stats() Stats {
	inodes := int64(b.t.demand().inodes)
	return Stats{
		Inodes:     inodes,
		FreeInodes: int64(b.l.groups)*int64(b.l.inodesPerGroup) - inodes,
		Blocks:     int64(b.l.blocks),
		FreeBlocks: int64(b.freeBlocks),
		BytesUsed:  int64(b.l.blocks-b.freeBlocks) * blockSize,
		BytesFree:  int64(b.freeBlocks) * blockSize,
	}
}
