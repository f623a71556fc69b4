package ext4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Bodies call a block of a stream's chunks by this bit, the stream's rank, and the place among its chunks
// until the Writer knows where that will be.
const (
	inChunk     = 1 << 63
	chunkedBits = 40
)

// chunkBlock is what bodies call the first block of the i-th chunk of a stream.
func chunkBlock(rank uint64, i int) uint64 {
	return inChunk | rank<<chunkedBits | uint64(i)*chunkBlocks
}

// chunkMap says where the chunks of all streams lie when they are in order: by rank, then by place.
type chunkMap struct {
	slots []uint64 // first block of each; nil while unknown
	first []int    // index in slots of each stream's first chunk, and the end of the last one's
}

// find returns the place of up to n blocks of which the first is called name. It is empty when no stream has
// that block.
func (m *chunkMap) find(name, n uint64) run {
	rank, place := name&^inChunk>>chunkedBits, name&(1<<chunkedBits-1)
	if rank+1 >= uint64(len(m.first)) || place/chunkBlocks >= uint64(m.first[rank+1]-m.first[rank]) {
		return run{}
	}
	slot := m.slots[m.first[rank]+int(place/chunkBlocks)]
	return run{slot + place%chunkBlocks, min(n, chunkBlocks-place%chunkBlocks)}
}

// resolve makes a body refer to blocks of the image alone. A body that is not of this image stays as it is.
func (m *chunkMap) resolve(b *Body) {
	if !slices.ContainsFunc(b.extents, inAChunk) {
		return
	}
	list := make([]extent, 0, len(b.extents))
	for _, e := range b.extents {
		if !inAChunk(e) {
			list = addRun(list, e.logical, e.block, uint64(e.count))
			continue
		}
		for done := uint64(0); done < uint64(e.count); {
			r := m.find(e.block+done, uint64(e.count)-done)
			if r.n == 0 {
				return
			}
			list = addRun(list, e.logical+uint32(done), r.start, r.n)
			done += r.n
		}
	}
	b.extents = list
}

func inAChunk(e extent) bool { return e.block&inChunk != 0 }

// orderChunks brings the chunks of all streams into the order of their ranks. Which slots there are does
// not depend on the order in which the streams took them, so what is where does not either.
func (w *Writer) orderChunks(ctx context.Context) error {
	if w.ordered.first != nil {
		return nil
	}
	var are, all []uint64 // slots of the chunks in use, in order; all slots
	var first []int
	for _, s := range w.streams {
		first = append(first, len(are))
		are = append(are, s.chunks[:s.taken]...)
		all = append(all, s.chunks...)
	}
	slices.Sort(all)
	slots := all[:len(are)]
	if slices.Equal(are, slots) { // as in most small images, which need no buffers then
		w.ordered = chunkMap{slots: slots, first: append(first, len(are))}
		return nil
	}
	if err := moveChunks(ctx, w.f, are, slots); err != nil {
		return fmt.Errorf("putting file bodies in order: %w", err)
	}
	w.ordered = chunkMap{slots: slots, first: append(first, len(are))}
	return nil
}

// moveChunks copies the chunk at are[i] to slots[i], for all i. Slots that are nowhere in are hold nothing.
func moveChunks(ctx context.Context, f File, are, slots []uint64) error {
	holder := make(map[uint64]int, len(are)) // of a slot's chunk now: index in are
	for i, slot := range are {
		holder[slot] = i
	}
	m := mover{f: f, held: make([]byte, chunkBlocks*blockSize), buf: make([]byte, chunkBlocks*blockSize)}
	for i := range slots {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.settle(i, are, slots, holder); err != nil {
			return err
		}
	}
	return nil
}

type mover struct {
	f         File
	held, buf []byte
}

// settle brings chunk i to its slot, then the one that was there to its own, and so on until a slot was
// free. Each chunk is read and written once.
func (m *mover) settle(i int, are, slots []uint64, holder map[uint64]int) error {
	if are[i] == slots[i] {
		return nil
	}
	if err := m.read(m.held, are[i]); err != nil {
		return err
	}
	delete(holder, are[i])
	for {
		to := slots[i]
		next, taken := holder[to]
		if taken {
			if err := m.read(m.buf, to); err != nil {
				return err
			}
			delete(holder, to)
		}
		if _, err := m.f.WriteAt(m.held, int64(to)*blockSize); err != nil {
			return err
		}
		are[i] = to
		if !taken {
			return nil
		}
		i, m.held, m.buf = next, m.buf, m.held
	}
}

// read reads a chunk; behind the end of the file there are zeros.
func (m *mover) read(p []byte, block uint64) error {
	n, err := m.f.ReadAt(p, int64(block)*blockSize)
	clear(p[n:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
