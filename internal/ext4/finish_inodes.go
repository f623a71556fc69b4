package ext4

import "context"

// writeInodes writes every inode in use, and before it the blocks that it points to.
func (b *builder) writeInodes(ctx context.Context) error {
	for ino := uint32(1); ino < inoLostFound; ino++ {
		if err := b.writeReserved(ino); err != nil {
			return err
		}
	}
	for i, n := range b.t.nodes {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := b.writeNode(n); err != nil {
			return err
		}
	}
	if err := b.meta.flush(); err != nil {
		return err
	}
	return b.table.flush()
}

// writeReserved writes an inode below the first free one: the root, the resize inode, the journal or an
// empty one.
func (b *builder) writeReserved(ino uint32) error {
	now := newStamp(b.opt.Time)
	in := inode{mode: typeFile | 0o600, links: 1, atime: now, ctime: now, mtime: now, crtim: now}
	switch ino {
	case inoRoot:
		return b.writeNode(b.t.dirs[0].node)
	case inoResize:
		b.fillResizeInode(&in)
	case inoJournal:
		if err := b.fillJournalInode(&in); err != nil {
			return err
		}
	default:
		in = inode{}
	}
	return b.writeInode(ino, &in, nil)
}

// writeNode writes the inode of a node.
func (b *builder) writeNode(n *Node) error {
	time := newStamp(n.MTime)
	in := inode{
		mode: n.Mode, uid: n.UID, gid: n.GID, links: n.links,
		atime: time, ctime: time, mtime: time, crtim: time,
	}
	if err := b.fillContent(&in, n); err != nil {
		return err
	}
	if len(n.Xattrs) == 0 {
		return b.writeInode(n.ino, &in, nil)
	}
	inInode, inBlock, _ := placeXattrs(n.Xattrs) // the scan has checked them
	if err := b.writeXattrBlock(&in, inBlock); err != nil {
		return err
	}
	return b.writeInode(n.ino, &in, inInode)
}

// fillContent writes what an inode of its type points to.
func (b *builder) fillContent(in *inode, n *Node) error {
	seed := inodeSeed(b.seed, n.ino, 0)
	switch n.Mode & typeMask {
	case typeFile:
		in.size = uint64(n.Body.size)
		return b.meta.writeExtents(in, n.Body.extents, seed)
	case typeDir:
		b.nextDir++
		b.dirsIn[(n.ino-1)/b.l.inodesPerGroup]++
		return b.fillDir(in, b.nextDir-1, seed)
	case typeLink:
		return b.fillLink(in, n.Link, seed)
	case typeChar, typeBlock:
		fillDevice(in, n.Major, n.Minor)
	}
	return nil
}

func (b *builder) fillLink(in *inode, target string, seed uint32) error {
	in.size = uint64(len(target))
	if len(target) <= maxFastLink {
		copy(in.block[:], target)
		return nil
	}
	block, buf, err := b.meta.next()
	if err != nil {
		return err
	}
	copy(buf, target)
	return b.meta.writeExtents(in, []extent{{0, 1, block}}, seed)
}

func (b *builder) writeXattrBlock(in *inode, list []xattr) error {
	if len(list) == 0 {
		return nil
	}
	block, buf, err := b.meta.next()
	if err != nil {
		return err
	}
	putXattrBlock(buf, block, list, b.seed)
	in.fileACL = block
	in.sectors += blockSize / 512
	return nil
}

// writeInode puts an inode with its attributes and checksum into the table.
func (b *builder) writeInode(ino uint32, in *inode, attrs []xattr) error {
	raw, err := b.table.slot(ino)
	if err != nil {
		return err
	}
	in.encode(raw)
	putInodeXattrs(raw, attrs)
	setInodeSum(raw, inodeSeed(b.seed, ino, in.generation))
	return nil
}
