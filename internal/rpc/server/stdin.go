package server

import (
	"io"
	"sync"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

// stdinBuffer holds input of the client that the process has not taken yet.
// put never blocks: a client that keeps to its window cannot fill it.
type stdinBuffer struct {
	taken func(n int) // told how many bytes were read; called outside the lock

	mu    sync.Mutex
	more  sync.Cond
	data  []byte
	owed  int // bytes that were read and not told yet
	ended error
}

func newStdinBuffer(taken func(n int)) *stdinBuffer {
	b := &stdinBuffer{taken: taken}
	b.more.L = &b.mu
	return b
}

// put adds input.
func (b *stdinBuffer) put(p []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended != nil:
		return model.Errorf(model.CodeInvalid, "input after its end")
	case len(b.data)+b.owed+len(p) > protocol.StdinWindow:
		return model.Errorf(model.CodeLimit, "more than %d bytes of input were sent ahead", protocol.StdinWindow)
	}
	b.data = append(b.data, p...)
	b.more.Signal()
	return nil
}

// end makes Read return err once everything is read. The first end counts.
func (b *stdinBuffer) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended == nil {
		b.ended = err
	}
	b.more.Broadcast()
}

// Read waits for input.
func (b *stdinBuffer) Read(p []byte) (int, error) {
	n, tell, err := b.read(p)
	if tell > 0 {
		b.taken(tell)
	}
	return n, err
}

// read returns what there is, and how many bytes the client is to be told of:
// not of each few, but before it can run out of its window.
func (b *stdinBuffer) read(p []byte) (n, tell int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 {
		return 0, 0, nil
	}
	for len(b.data) == 0 && b.ended == nil {
		b.more.Wait()
	}
	if len(b.data) == 0 {
		return 0, 0, b.ended
	}
	n = copy(p, b.data)
	b.data = b.data[n:]
	b.owed += n
	if b.ended == nil && b.owed >= protocol.StdinWindow/4 {
		tell, b.owed = b.owed, 0
	}
	return n, tell, nil
}

var _ io.Reader = (*stdinBuffer)(nil)
