package ext4

import (
	"errors"
	"sync"
)

// run is n blocks of the image from start on.
type run struct{ start, n uint64 }

// hasCopy reports whether a group begins with a copy of superblock and descriptors (sparse_super:
// groups 0, 1 and powers of 3, 5 and 7).
func hasCopy(group uint64) bool {
	if group <= 1 {
		return true
	}
	for _, base := range [...]uint64{3, 5, 7} {
		power := base
		for power < group {
			power *= base
		}
		if power == group {
			return true
		}
	}
	return false
}

// skipCopy returns block, or the first block behind the copy that block lies in.
func skipCopy(block uint64) uint64 {
	group := block / blocksPerGroup
	if end := group*blocksPerGroup + copyBlocks; block < end && hasCopy(group) {
		return end
	}
	return block
}

// clearRun returns the longest run, up to most blocks, that begins at or behind block and touches no copy.
// It begins at skipCopy(block).
func clearRun(block, most uint64) run {
	r := run{skipCopy(block), most}
	for g := r.start/blocksPerGroup + 1; g*blocksPerGroup < r.start+most; g++ {
		if hasCopy(g) {
			r.n = g*blocksPerGroup - r.start
			break
		}
	}
	return r
}

// advance returns the block behind the n usable blocks that follow from.
func advance(from, n uint64) uint64 {
	for n > 0 {
		r := clearRun(from, min(n, blocksPerGroup))
		from, n = r.start+r.n, n-r.n
	}
	return from
}

var errTooLarge = errors.New("the bodies exceed the largest filesystem")

// bodySpace hands out the blocks that file bodies are streamed to: regions in the order of the streams,
// chunks in the order in which streams need more than their regions.
type bodySpace struct {
	mu   sync.Mutex
	next uint64 // nothing from here on was handed out
}

// reserve returns a region of n usable blocks, copies between them not counted, or an empty one when that
// would leave less than half of the largest filesystem.
func (a *bodySpace) reserve(n uint64) (first, end uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > maxBlocks/2 || advance(a.next, n) > maxBlocks/2 {
		return a.next, a.next
	}
	first, a.next = a.next, advance(a.next, n)
	return first, a.next
}

// chunk returns the first of chunkBlocks blocks that follow each other.
func (a *bodySpace) chunk() (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := placer{a.next}
	start := p.take(chunkBlocks)
	if p.cursor > maxBlocks {
		return 0, errTooLarge
	}
	a.next = p.cursor
	return start, nil
}

// end returns the first block that no stream was given.
func (a *bodySpace) end() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next
}
