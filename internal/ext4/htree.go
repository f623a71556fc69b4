package ext4

import "encoding/binary"

// A directory of more than one block is a hash tree: block 0 is the root, then come index nodes, if the
// root alone does not reach all leaves, then the leaves, which are ordinary directory blocks in the
// order of their hashes. Leaves and index nodes are left a fifth empty, as e2fsck -D leaves them, so that
// the first new name does not split a block.
const (
	dxRootEntries = 32 // offset of the entries in the root, behind ".", ".." and dx_root_info
	dxNodeEntries = 8  // offset in an index node, behind a dummy entry
	dxEntrySize   = 8
	dxTailSize    = 8
	dxRootLimit   = (blockSize - dxRootEntries - dxTailSize) / dxEntrySize
	dxNodeLimit   = (blockSize - dxNodeEntries - dxTailSize) / dxEntrySize
	dxNodeFill    = dxNodeLimit * 4 / 5
	leafFill      = direntRoom * 4 / 5

	maxLeaves = dxRootLimit * dxNodeFill
)

// dxEntry says that names whose hash is at least hash are at or below block. The lowest bit of hash is
// set when names of the same hash are in the block before, too.
type dxEntry struct{ hash, block uint32 }

// leaf is a range of a sorted directory's entries.
type leaf struct {
	first, end int
	hash       uint32
}

// splitLeaves divides entries, which are in the order of their hashes, among leaf blocks.
func splitLeaves(entries []dirEntry) []leaf {
	leaves := []leaf{{}}
	used := 0
	for i := range entries {
		size := direntSize(len(entries[i].name))
		if used+size > leafFill {
			hash := entries[i].hash.major
			if hash == entries[i-1].hash.major {
				hash |= 1
			}
			leaves[len(leaves)-1].end = i
			leaves = append(leaves, leaf{first: i, hash: hash})
			used = 0
		}
		used += size
	}
	leaves[len(leaves)-1].end = len(entries)
	return leaves
}

// dxNodes returns how many index nodes are between the root and so many leaves.
func dxNodes(leaves int) int {
	if leaves <= dxRootLimit {
		return 0
	}
	return (leaves + dxNodeFill - 1) / dxNodeFill
}

// dxPlan returns the entries of the root and of each index node.
func dxPlan(leaves []leaf) (root []dxEntry, nodes [][]dxEntry) {
	count := dxNodes(len(leaves))
	level := make([]dxEntry, len(leaves))
	for i, l := range leaves {
		level[i] = dxEntry{l.hash, uint32(1 + count + i)}
	}
	if count == 0 {
		return level, nil
	}
	for len(level) > 0 {
		part := level[:min(dxNodeFill, len(level))]
		level = level[len(part):]
		root = append(root, dxEntry{part[0].hash, uint32(1 + len(nodes))})
		nodes = append(nodes, part)
	}
	return root, nodes
}

// putDXRoot fills the first block of a hash-tree directory.
func putDXRoot(buf []byte, ino, parent uint32, entries []dxEntry, levels byte, seed uint32) {
	putDirent(buf, ino, 12, ".", direntKind(typeDir))
	putDirent(buf[12:], parent, blockSize-12, "..", direntKind(typeDir))
	buf[28] = hashHalfMD4
	buf[29] = 8 // length of dx_root_info
	buf[30] = levels
	putDXEntries(buf, dxRootEntries, dxRootLimit, entries, seed)
}

func putDXNode(buf []byte, entries []dxEntry, seed uint32) {
	putDirent(buf, 0, blockSize, "", 0)
	putDXEntries(buf, dxNodeEntries, dxNodeLimit, entries, seed)
}

// putDXEntries writes the table at offset: limit and count take the place of the first hash, which is
// implied. The checksum covers the block up to the last entry, and the tail.
func putDXEntries(buf []byte, offset, limit int, entries []dxEntry, seed uint32) {
	le := binary.LittleEndian
	for i, e := range entries {
		le.PutUint32(buf[offset+dxEntrySize*i:], e.hash)
		le.PutUint32(buf[offset+dxEntrySize*i+4:], e.block)
	}
	le.PutUint16(buf[offset:], uint16(limit))
	le.PutUint16(buf[offset+2:], uint16(len(entries)))
	tail := buf[offset+dxEntrySize*limit:]
	le.PutUint32(tail[4:], dxSum(buf[:offset+dxEntrySize*len(entries)], tail, seed))
}

// dxSum is the checksum of the used part of a root or index node and its tail.
func dxSum(used, tail []byte, seed uint32) uint32 {
	sum := crc32c(seed, used)
	sum = crc32c(sum, tail[:4])
	return crc32cUint32(sum, 0)
}
