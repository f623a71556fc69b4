package agent

import (
	"net"
	"os"
	"sync"

	"banger/internal/wire"
)

// input is the standard input of one process: frames go in, a goroutine
// writes them to the process as fast as it reads, and the host is told how
// much was taken. What it holds is bounded by the window that the host keeps
// to, so the reader of frames never waits for the process.
type input struct {
	file *os.File // nil: the process has no input
	tty  bool

	mu     sync.Mutex
	more   sync.Cond
	queue  [][]byte
	queued int
	eof    bool // nothing comes after queue
	ended  bool // the process is gone
}

func newInput(s *stdio) *input {
	in := &input{file: s.stdin, tty: s.tty != nil}
	in.more.L = &in.mu
	return in
}

// push queues a copy of b; false when the host overran the window.
func (in *input) push(b []byte) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queued += len(b); in.queued > wire.StdinWindow || in.file == nil || in.eof {
		return false
	}
	in.queue = append(in.queue, append([]byte(nil), b...))
	in.more.Signal()
	return true
}

// finish marks the end of the input.
func (in *input) finish() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.eof = true
	in.more.Signal()
}

// end lets feed return; the file is closed by its owner.
func (in *input) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = true
	in.more.Signal()
}

// next returns what is to be written next; nil at the end.
func (in *input) next() []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.queue) == 0 && !in.eof && !in.ended {
		in.more.Wait()
	}
	if in.ended || len(in.queue) == 0 {
		return nil
	}
	b := in.queue[0]
	in.queue[0] = nil
	in.queue = in.queue[1:]
	return b
}

// feed feeds the process until its input or itself ends. A process that
// closed its input still takes it: what it does not want is dropped.
func (in *input) feed(stream net.Conn) {
	broken := false
	for b := in.next(); b != nil; b = in.next() {
		if !broken {
			_, err := in.file.Write(b)
			broken = err != nil
		}
		in.mu.Lock()
		in.queued -= len(b)
		in.mu.Unlock()
		if _, err := stream.Write(wire.CreditFrame(len(b))); err != nil {
			return
		}
	}
	if in.tty {
		endPTYInput(in.file)
		return
	}
	_ = in.file.Close()
}
