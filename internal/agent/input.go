package agent

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"banger/internal/wire"
)

// input feeds a process's standard input from a queue that the host's window
// bounds, so that a process that does not read keeps neither signals nor
// sizes from coming through.
type input struct {
	acks *wire.FrameWriter

	mu     sync.Mutex
	some   sync.Cond
	queue  [][]byte
	size   int // queued and not yet acknowledged
	closed bool
}

func newInput(f *os.File, acks *wire.FrameWriter) *input {
	in := &input{acks: acks, closed: f == nil}
	in.some.L = &in.mu
	if f != nil {
		go in.feed(f)
	}
	return in
}

// feed writes the queue to f and closes it at the end.
func (in *input) feed(f *os.File) {
	defer func() { _ = f.Close() }()
	for b := in.next(); b != nil; b = in.next() {
		_, err := f.Write(b)
		in.taken(len(b))
		if err != nil {
			in.close() // the process reads no more: what still comes is dropped
			return
		}
	}
}

// next waits for the next bytes; nil: the input has ended.
func (in *input) next() []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.queue) == 0 && !in.closed {
		in.some.Wait()
	}
	if len(in.queue) == 0 {
		return nil
	}
	b := in.queue[0]
	in.queue = in.queue[1:]
	return b
}

// taken tells the host that n bytes have left the queue.
func (in *input) taken(n int) {
	in.mu.Lock()
	in.size -= n
	in.mu.Unlock()
	_ = in.acks.Write(wire.FrameStdinAck, binary.BigEndian.AppendUint32(nil, uint32(n))) // a link that ended needs none
}

// write queues a copy of p. After close it drops it, and takes it as read.
func (in *input) write(p []byte) error {
	in.mu.Lock()
	in.size += len(p)
	size, closed := in.size, in.closed
	if !closed && len(p) > 0 {
		in.queue = append(in.queue, append([]byte(nil), p...))
		in.some.Broadcast()
	}
	in.mu.Unlock()
	if size > wire.StdinWindow {
		return fmt.Errorf("%w: more input than its window", wire.ErrProtocol)
	}
	if closed {
		in.taken(len(p))
	}
	return nil
}

// close ends the input behind what is queued.
func (in *input) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.some.Broadcast()
}
