package agent

import (
	"sync"

	"banger/internal/wire"
)

// buffers lends buffers for the output of processes: making and clearing them
// anew is much of what a short process costs on an emulated CPU.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() []byte {
	if buf, ok := b.pool.Get().(*[wire.MaxFrame]byte); ok {
		return buf[:]
	}
	return make([]byte, wire.MaxFrame)
}

func (b *buffers) put(buf []byte) { b.pool.Put((*[wire.MaxFrame]byte)(buf)) }
