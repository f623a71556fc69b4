package ext4

import (
	"cmp"
	"slices"
	"strings"
)

// lostFoundBlocks is the length of an empty lost+found: e2fsck uses it when no block can be allocated.
const lostFoundBlocks = 4

// dirPlan is a directory and how it will be written. Its entries are not kept: those of all directories would
// take more memory than the tree.
type dirPlan struct {
	node    *Node
	name    string
	parent  int // in tree.dirs; the root's is itself
	pathLen int // bytes of the path, with the slash in front
	subdirs uint32

	indexed bool // is a hash tree
	blocks  uint32
}

type dirEntry struct {
	name string
	node *Node
	hash nameHash // when the directory is indexed
}

// plan decides between one block and a hash tree, and reports whether the entries fit at all.
func (d *dirPlan) plan(entries []dirEntry, seed [16]byte, isLostFound bool) bool {
	size := direntSize(1) + direntSize(2)
	for i := range entries {
		size += direntSize(len(entries[i].name))
	}
	if size <= direntRoom {
		d.blocks = 1
		if isLostFound {
			d.blocks = lostFoundBlocks
		}
		return true
	}
	d.indexed = true
	sortByHash(entries, seed)
	leaves := len(splitLeaves(entries))
	d.blocks = uint32(1 + dxNodes(leaves) + leaves)
	return leaves <= maxLeaves
}

// sortByHash brings entries into the order of a hash tree.
func sortByHash(entries []dirEntry, seed [16]byte) {
	for i := range entries {
		entries[i].hash = halfMD4(entries[i].name, seed)
	}
	slices.SortFunc(entries, compareByHash)
}

func compareByHash(a, b dirEntry) int {
	return cmp.Or(
		cmp.Compare(a.hash.major, b.hash.major),
		cmp.Compare(a.hash.minor, b.hash.minor),
		strings.Compare(a.name, b.name))
}

// metaBlocks bounds what the directory takes: its blocks, and an extent tree if it is so long that
// superblock copies cut it into many extents.
func (d *dirPlan) metaBlocks() uint64 {
	pieces := uint64(d.blocks)/(blocksPerGroup-copyBlocks) + 2
	return uint64(d.blocks) + extentBlocks(pieces)
}

// links is the link count: ".", the name and each subdirectory's "..", or 1 for "many" (dir_nlink).
func (d *dirPlan) links() uint32 {
	if n := 2 + d.subdirs; n <= maxLinks {
		return n
	}
	return 1
}
