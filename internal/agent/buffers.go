package agent

import (
	"sync"

	"banger/internal/wire"
)

// buffers lends buffers for the output of processes: making and clearing them
// anew is much of what a short process costs on an emulated processor.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *wire.FrameBuffer {
	if buf, ok := b.pool.Get().(*wire.FrameBuffer); ok {
		return buf
	}
	return wire.NewFrameBuffer()
}

func (b *buffers) put(buf *wire.FrameBuffer) { b.pool.Put(buf) }
