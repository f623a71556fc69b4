package ext4

// fillDir writes the blocks of directory i and completes its inode.
func (b *builder) fillDir(in *inode, i int, seed uint32) error {
	d := &b.t.dirs[i]
	entries, err := b.t.collect(i)
	if err != nil {
		return err
	}
	in.size = uint64(d.blocks) * blockSize
	in.links = d.links()
	write := b.writeLinear
	if d.indexed {
		in.flags |= inodeFlagIndex
		sortByHash(entries, b.opt.HashSeed)
		write = b.writeHashed
	}
	extents, err := write(d, entries, seed)
	if err != nil {
		return err
	}
	return b.meta.writeExtents(in, extents, seed)
}

// parentOf returns the inode number for "..".
func (b *builder) parentOf(d *dirPlan) uint32 { return b.t.dirs[d.parent].node.ino }

// writeLinear writes a directory whose entries fit in one block; the blocks behind it, if any, are empty.
func (b *builder) writeLinear(d *dirPlan, entries []dirEntry, seed uint32) ([]extent, error) {
	var extents []extent
	for i := range d.blocks {
		block, buf, err := b.meta.next()
		if err != nil {
			return nil, err
		}
		out := direntBlock{buf: buf}
		if i == 0 {
			out.add(d.node.ino, ".", direntKind(typeDir))
			out.add(b.parentOf(d), "..", direntKind(typeDir))
			out.addAll(entries)
		}
		out.seal(seed)
		extents = addRun(extents, i, block, 1)
	}
	return extents, nil
}

func (b *direntBlock) addAll(entries []dirEntry) {
	for i := range entries {
		e := &entries[i]
		b.add(e.node.ino, e.name, direntKind(e.node.Mode))
	}
}

// writeHashed writes a hash-tree directory: root, index nodes, leaves.
func (b *builder) writeHashed(d *dirPlan, entries []dirEntry, seed uint32) ([]extent, error) {
	leaves := splitLeaves(entries)
	root, nodes := dxPlan(leaves)
	var extents []extent
	next := func() ([]byte, error) {
		block, buf, err := b.meta.next()
		extents = addRun(extents, uint32(blockCount(extents)), block, 1)
		return buf, err
	}
	buf, err := next()
	if err != nil {
		return nil, err
	}
	putDXRoot(buf, d.node.ino, b.parentOf(d), root, byte(min(len(nodes), 1)), seed)
	for _, indexes := range nodes {
		if buf, err = next(); err != nil {
			return nil, err
		}
		putDXNode(buf, indexes, seed)
	}
	for _, l := range leaves {
		if buf, err = next(); err != nil {
			return nil, err
		}
		out := direntBlock{buf: buf}
		out.addAll(entries[l.first:l.end])
		out.seal(seed)
	}
	return extents, nil
}
