package ext4

import (
	"context"
	"fmt"
)

// compact copies whatever lies behind end into the gaps between bodies before it. Each step leaves every
// Body whole. It is needed only when gaps, which bodies outside the tree and regions that were not filled
// have left, take so much of the file that the rest does not fit in the wanted size.
func (w *Writer) compact(ctx context.Context, t *tree, end uint64) error {
	c := compactor{f: w.f, end: end, used: newBitmap(uint32(ceilDiv(end, blocksPerGroup))), buf: make([]byte, bufferBlocks*blockSize)}
	for g := uint64(0); g*blocksPerGroup < end; g++ {
		if hasCopy(g) {
			c.used.set(g*blocksPerGroup, copyBlocks)
		}
	}
	if err := t.markBodies(c.used, end); err != nil {
		return err
	}
	for _, n := range t.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.move(&n.Body); err != nil {
			return fmt.Errorf("moving file bodies together: %w", err)
		}
	}
	return nil
}

type compactor struct {
	f      File
	end    uint64
	used   bitmap
	cursor uint64 // no free block lies before it
	buf    []byte
}

// move brings the blocks of a body below c.end.
func (c *compactor) move(b *Body) error {
	var moved []extent
	for i, e := range b.extents {
		if e.end() > c.end && moved == nil {
			moved = append(make([]extent, 0, len(b.extents)+1), b.extents[:i]...)
		}
		if moved == nil {
			continue
		}
		stays := min(e.end(), max(c.end, e.block)) - e.block
		moved = addRun(moved, e.logical, e.block, stays)
		for done := stays; done < uint64(e.count); {
			to, err := c.copy(e.block+done, uint64(e.count)-done)
			if err != nil {
				return err
			}
			moved = addRun(moved, e.logical+uint32(done), to.start, to.n)
			done += to.n
		}
	}
	if moved != nil {
		b.extents = moved
	}
	return nil
}

// copy copies up to n blocks to the first gap, and returns how many and where.
func (c *compactor) copy(from, n uint64) (run, error) {
	start, room := c.used.nextRun(c.cursor, c.end, false)
	n = min(n, room, bufferBlocks)
	if n == 0 {
		return run{}, errMetaFull
	}
	buf := c.buf[:n*blockSize]
	if _, err := c.f.ReadAt(buf, int64(from)*blockSize); err != nil {
		return run{}, err
	}
	if _, err := c.f.WriteAt(buf, int64(start)*blockSize); err != nil {
		return run{}, err
	}
	c.used.set(start, n)
	c.cursor = start + n
	return run{start, n}, nil
}
