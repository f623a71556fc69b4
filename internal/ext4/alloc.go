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

// bodySpace hands out the blocks that file bodies are streamed to.
type bodySpace struct {
	mu       sync.Mutex
	next     uint64 // nothing from here on was handed out
	returned []run  // handed out, given back unused
}

// take returns a run of 1 to want blocks.
func (a *bodySpace) take(want uint64) (run, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.returned) > 0 {
		first := &a.returned[0]
		r := run{first.start, min(want, first.n)}
		first.start, first.n = first.start+r.n, first.n-r.n
		if first.n == 0 {
			a.returned = a.returned[1:]
		}
		return r, nil
	}
	r := clearRun(a.next, want)
	if r.start+r.n > maxBlocks {
		return run{}, errTooLarge
	}
	a.next = r.start + r.n
	return r, nil
}

// give takes back the unused rest of a run.
func (a *bodySpace) give(r run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.n == 0:
	case r.start+r.n == a.next:
		a.next = r.start
	default:
		a.returned = append(a.returned, r)
	}
}

// end returns the first block that no stream was given.
func (a *bodySpace) end() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next
}
