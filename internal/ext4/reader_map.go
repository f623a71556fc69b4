package ext4

import (
	"encoding/binary"
	"fmt"
)

// mapBlock returns where a block of the file lies, and how many follow it there; block 0 stands for a hole.
func (n *Inode) mapBlock(logical uint64) (block, count uint64, err error) {
	if logical > maxFileBlocks {
		return 0, 0, fmt.Errorf("block %d of a file: %w", logical, ErrCorrupt)
	}
	if n.in.flags&inodeFlagExtents == 0 {
		block, err := n.mapIndirect(logical)
		return block, 1, err
	}
	return n.mapExtent(logical)
}

// mapExtent descends the extent tree. Each level must be one less deep than the one above, so it ends.
func (n *Inode) mapExtent(logical uint64) (block, count uint64, err error) {
	node := n.in.block[:]
	depth := int(binary.LittleEndian.Uint16(node[6:]))
	if depth > maxExtentDepth {
		return 0, 0, fmt.Errorf("extent tree of depth %d: %w", depth, ErrCorrupt)
	}
	limit := uint64(maxFileBlocks) + 1 // the first block that this subtree does not cover
	for ; ; depth-- {
		entries, err := extentEntries(node, depth)
		if err != nil {
			return 0, 0, err
		}
		if depth == 0 {
			return n.findExtent(entries, logical, limit)
		}
		child, next, ok := findIndex(entries, logical, limit)
		if !ok {
			return 0, next - logical, nil
		}
		limit = next
		if node, err = n.extentBlock(child); err != nil {
			return 0, 0, err
		}
	}
}

// extentEntries checks the header of a node and returns its entries.
func extentEntries(node []byte, depth int) ([]byte, error) {
	le := binary.LittleEndian
	entries, most := int(le.Uint16(node[2:])), int(le.Uint16(node[4:]))
	if le.Uint16(node) != extentMagic || int(le.Uint16(node[6:])) != depth ||
		entries > most || most > len(node)/extentEntry-1 {
		return nil, fmt.Errorf("extent header: %w", ErrCorrupt)
	}
	return node[extentEntry : extentEntry*(1+entries)], nil
}

// extentBlock reads a node of the tree and checks its checksum, which lies behind its capacity.
func (n *Inode) extentBlock(block uint64) ([]byte, error) {
	node, err := n.fs.readBlock(block)
	if err != nil || !n.fs.sb.checksummed() {
		return node, err
	}
	le := binary.LittleEndian
	tail := extentEntry * (1 + int(le.Uint16(node[4:])))
	if tail > len(node)-4 || le.Uint32(node[tail:]) != crc32c(n.seed(), node[:tail]) {
		return nil, fmt.Errorf("extent block %d: checksum: %w", block, ErrCorrupt)
	}
	return node, nil
}

// seed starts the checksums of the inode's blocks.
func (n *Inode) seed() uint32 { return inodeSeed(n.fs.seed, n.Ino, n.in.generation) }

// findIndex returns the child that covers logical, and where its cover ends. ok is false when logical
// lies before the first child: then next is where that begins.
func findIndex(entries []byte, logical, limit uint64) (child, next uint64, ok bool) {
	le := binary.LittleEndian
	next = limit
	for ; len(entries) > 0; entries = entries[extentEntry:] {
		if first := uint64(le.Uint32(entries)); first > logical {
			return child, min(first, limit), ok
		}
		child = uint64(le.Uint32(entries[4:])) | uint64(le.Uint16(entries[8:]))<<32
		ok = true
	}
	return child, next, ok
}

// findExtent looks logical up in a leaf. Unwritten extents read as holes.
func (n *Inode) findExtent(entries []byte, logical, limit uint64) (block, count uint64, err error) {
	le := binary.LittleEndian
	for ; len(entries) > 0; entries = entries[extentEntry:] {
		first, length := uint64(le.Uint32(entries)), uint64(le.Uint16(entries[4:]))
		unwritten := length > maxExtent
		if unwritten {
			length -= maxExtent
		}
		if first > logical {
			limit = min(limit, first)
			break
		}
		if logical >= first+length {
			continue
		}
		start := uint64(le.Uint32(entries[8:])) | uint64(le.Uint16(entries[6:]))<<32
		if start == 0 || start >= n.fs.blocks || length > n.fs.blocks-start {
			return 0, 0, fmt.Errorf("extent of blocks %d+%d: %w", start, length, ErrCorrupt)
		}
		if unwritten {
			return 0, first + length - logical, nil
		}
		return start + logical - first, first + length - logical, nil
	}
	if limit <= logical {
		return 0, 0, fmt.Errorf("extents out of order: %w", ErrCorrupt)
	}
	return 0, limit - logical, nil
}

// mapIndirect follows the block pointers of ext2 and ext3: 12 direct ones, then trees of depth 1, 2 and 3.
func (n *Inode) mapIndirect(logical uint64) (uint64, error) {
	le := binary.LittleEndian
	if logical < directPointers {
		return uint64(le.Uint32(n.in.block[4*logical:])), nil
	}
	logical -= directPointers
	perBlock := uint64(n.fs.blockSize / 4)
	span := uint64(1) // blocks below one pointer of the tree's root block
	for depth := uint64(0); depth < 3; depth++ {
		if logical < span*perBlock {
			root := uint64(le.Uint32(n.in.block[4*(directPointers+depth):]))
			return n.followIndirect(root, logical, span)
		}
		logical -= span * perBlock
		span *= perBlock
	}
	return 0, fmt.Errorf("block %d of an indirect file: %w", logical, ErrCorrupt)
}

func (n *Inode) followIndirect(block, logical, span uint64) (uint64, error) {
	perBlock := uint64(n.fs.blockSize / 4)
	for ; block != 0; span /= perBlock {
		pointers, err := n.fs.readBlock(block)
		if err != nil {
			return 0, err
		}
		block = uint64(binary.LittleEndian.Uint32(pointers[4*(logical/span%perBlock):]))
		if span == 1 {
			break
		}
	}
	return block, nil
}
