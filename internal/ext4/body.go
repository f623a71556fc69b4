package ext4

// Body is the content of a regular file that already lies in the image. The zero Body is empty.
// A Body belongs to one Node of one tree.
type Body struct {
	size    int64
	extents []extent
}

// Size is the length of the file in bytes, holes included.
func (b Body) Size() int64 { return b.size }

// extent is a run of blocks of a file: what a leaf of an extent tree holds.
type extent struct {
	logical uint32 // first block of the file
	count   uint32 // 1 to maxExtent
	block   uint64 // first block of the image
}

// maxExtent is the most blocks of one initialised extent (EXT_INIT_MAX_LEN).
const maxExtent = 32768

func (e extent) end() uint64 { return e.block + uint64(e.count) }

// addRun appends n blocks of a file, joining them to the last extent when they continue it.
func addRun(list []extent, logical uint32, block, n uint64) []extent {
	if k := len(list); k > 0 {
		last := &list[k-1]
		joins := last.logical+last.count == logical && last.end() == block
		if more := min(n, uint64(maxExtent-last.count)); joins && more > 0 {
			last.count += uint32(more)
			logical, block, n = logical+uint32(more), block+more, n-more
		}
	}
	for n > 0 {
		part := min(n, maxExtent)
		list = append(list, extent{logical, uint32(part), block})
		logical, block, n = logical+uint32(part), block+part, n-part
	}
	return list
}

// blockCount returns how many blocks the extents cover.
func blockCount(list []extent) uint64 {
	var n uint64
	for _, e := range list {
		n += uint64(e.count)
	}
	return n
}
