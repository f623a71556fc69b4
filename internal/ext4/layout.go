package ext4

// demand is what a tree asks of the layout.
type demand struct {
	inodes uint64 // highest inode number in use
	meta   uint64 // blocks of directories, attributes, link targets and extent trees
}

// layout says where everything but the bodies lies. It is a pure function of size, watermark and demand.
type layout struct {
	blocks         uint64
	groups         uint32
	inodesPerGroup uint32
	gdtBlocks      uint32 // in use; the rest of descBlocks is reserved

	meta    run    // usable blocks of demand.meta, and the copies between them
	dind    uint64 // double indirect block of the resize inode
	journal run

	blockBitmaps, inodeBitmaps, inodeTables []uint64 // first block, by group

	end uint64 // behind the last block of all these: more than blocks when they do not fit
}

func (l *layout) tableBlocks() uint64 { return uint64(l.inodesPerGroup) / inodesPerBlock }

// groupBlocks returns how many blocks a group has: blocksPerGroup, or less for the last.
func (l *layout) groupBlocks(g uint32) uint64 {
	return min(blocksPerGroup, l.blocks-uint64(g)*blocksPerGroup)
}

// fit lays out a filesystem of up to size blocks behind the watermark, if that is possible.
func fit(size, watermark uint64, d demand) (l layout, ok bool) {
	if l, ok = fitTables(size, watermark, d, 0); ok {
		return l, true
	}
	return fitTables(size, watermark, d, 1)
}

// fitTables is fit with inode tables cut by so many blocks. When nothing fits, the layout is the smallest
// that was tried.
func fitTables(size, watermark uint64, d demand, tableCut uint64) (l layout, ok bool) {
	for _, journal := range journalSizes(size) {
		l = place(geometry(size, d.inodes, tableCut), watermark, journal, d)
		if l.end <= l.blocks && uint64(l.groups)*uint64(l.inodesPerGroup) >= d.inodes {
			return l, true
		}
	}
	return l, false
}

// place lays a geometry out in this order: tree metadata, resize inode's block, journal, then for each flex group its
// bitmaps and inode tables, at its own start when that is free and else behind what was placed last.
func place(l layout, watermark, journal uint64, d demand) layout {
	p := placer{max(watermark, copyBlocks)}
	l.meta.start = skipCopy(p.cursor)
	p.cursor = advance(p.cursor, d.meta)
	l.meta.n = p.cursor - min(l.meta.start, p.cursor)
	l.dind = p.take(1)
	l.journal = run{p.take(journal), journal}

	l.blockBitmaps = make([]uint64, l.groups)
	l.inodeBitmaps = make([]uint64, l.groups)
	l.inodeTables = make([]uint64, l.groups)
	for first := uint32(0); first < l.groups; first += groupsPerFlex {
		last := min(first+groupsPerFlex, l.groups)
		p.enterFlex(first, last, &l)
		p.takeEach(l.blockBitmaps[first:last], 1)
		p.takeEach(l.inodeBitmaps[first:last], 1)
		p.takeEach(l.inodeTables[first:last], l.tableBlocks())
	}
	l.end = p.cursor
	return l
}

// geometry divides size blocks into groups. A last group too small for its own metadata is left out.
// tableCut shortens each inode table by so many blocks: a slightly larger size can round all tables up by
// one, and must not fail for that.
func geometry(size, inodes, tableCut uint64) layout {
	groups := ceilDiv(size, blocksPerGroup)
	perGroup := inodesPerGroup(size, groups, inodes)
	rest := size - (groups-1)*blocksPerGroup
	if groups > 1 && rest < copyBlocks+perGroup/inodesPerBlock+64 {
		groups--
		size = groups * blocksPerGroup
		perGroup = inodesPerGroup(size, groups, inodes)
	}
	perGroup -= min(tableCut*inodesPerBlock, perGroup-inodesPerBlock)
	return layout{
		blocks:         size,
		groups:         uint32(groups),
		inodesPerGroup: uint32(perGroup),
		gdtBlocks:      uint32(ceilDiv(groups, descsPerBlock)),
	}
}

// inodesPerGroup is one inode for each 16 KiB, as mke2fs has it, or a quarter more than are used, if that is more.
func inodesPerGroup(blocks, groups, inodes uint64) uint64 {
	want := max(blocks*blockSize/16384, inodes+inodes/4)
	return min(roundUp(ceilDiv(want, groups), inodesPerBlock), maxInodesGroup)
}

// smallest returns the least size in blocks, a whole number of MiB, that fit accepts without a cut of the
// tables. It accepts every larger size, too.
func smallest(watermark uint64, d demand) uint64 {
	const step = 1 << 20 / blockSize
	size := max(watermark+d.meta, d.inodes/maxInodesGroup*blocksPerGroup)
	for {
		size = roundUp(size+1, step)
		l, ok := fitTables(size, watermark, d, 0)
		if ok || size > 2*maxBlocks {
			return size
		}
		if l.end > size {
			size = l.end - 1
		}
	}
}

// placer hands out contiguous blocks in ascending order, past the copies.
type placer struct{ cursor uint64 }

func (p *placer) take(n uint64) uint64 {
	r := clearRun(p.cursor, n)
	for r.n < n {
		r = clearRun(r.start+r.n, n)
	}
	p.cursor = r.start + n
	return r.start
}

func (p *placer) takeEach(starts []uint64, n uint64) {
	for i := range starts {
		starts[i] = p.take(n)
	}
}

// enterFlex moves to the start of a flex group if that is ahead and the group holds its own metadata.
func (p *placer) enterFlex(first, last uint32, l *layout) {
	start := skipCopy(uint64(first) * blocksPerGroup)
	end := min(uint64(last)*blocksPerGroup, l.blocks)
	ahead := placer{start}
	for range last - first {
		ahead.take(2)
		ahead.take(l.tableBlocks())
	}
	if start > p.cursor && ahead.cursor <= end {
		p.cursor = start
	}
}
