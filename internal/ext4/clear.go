package ext4

import (
	"context"
	"fmt"
)

// clear makes holes, or at least zeros, of the blocks that were streamed and are not used: bodies outside
// the tree. Everything behind the last body is cut off and so becomes zero at once.
func (b *builder) clear(ctx context.Context) error {
	for at := uint64(copyBlocks); at < b.t.end; {
		start, n := b.used.nextRun(at, b.t.end, false)
		if n > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := clearBlocks(b.f, run{start, n}); err != nil {
				return fmt.Errorf("clearing unused blocks: %w", err)
			}
		}
		at = start + n
	}
	for _, blocks := range []uint64{b.t.end, b.l.blocks} {
		if err := b.f.Truncate(int64(blocks) * blockSize); err != nil {
			return fmt.Errorf("setting the size of the image: %w", err)
		}
	}
	return nil
}

// clearBlocks punches a hole, or writes zeros to a file that cannot have one.
func clearBlocks(f File, r run) error {
	if punchHole(f, int64(r.start)*blockSize, int64(r.n)*blockSize) == nil {
		return nil
	}
	buf := make([]byte, min(r.n, bufferBlocks)*blockSize)
	for r.n > 0 {
		n := min(r.n, bufferBlocks)
		if _, err := f.WriteAt(buf[:n*blockSize], int64(r.start)*blockSize); err != nil {
			return err
		}
		r = run{r.start + n, r.n - n}
	}
	return nil
}
