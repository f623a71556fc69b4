package guest

import (
	"sync"
	"time"

	"banger/internal/wire"
)

// startStdin sends standard input from a goroutine. The function that it
// returns wakes the goroutine's read, where that is possible, and waits for
// its end.
func (p *process) startStdin() (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.sendStdin()
	}()
	return func() {
		p.credit.close()
		d, ok := p.stdio.Stdin.(interface{ SetReadDeadline(time.Time) error })
		if !ok || d.SetReadDeadline(time.Unix(1, 0)) != nil {
			return
		}
		await(ended, lingerTimeout) // it may be in a write to a link that does not move
		_ = d.SetReadDeadline(time.Time{})
	}
}

// sendStdin reads no more than the agent has room for, so that the frames of
// a process that does not read its input never fill the stream.
func (p *process) sendStdin() {
	if p.stdio.Stdin != nil && !p.copyStdin() {
		return
	}
	_, _ = p.stream.Write(wire.Frame(wire.FrameStdinClose, nil))
}

// copyStdin returns true at the end of the input, whatever ended it.
func (p *process) copyStdin() bool {
	buf := wire.NewFrameBuffer()
	for {
		room := p.credit.wait(len(buf.Room()))
		if room == 0 {
			return false
		}
		n, err := p.stdio.Stdin.Read(buf.Room()[:room])
		if p.credit.closed() {
			return false
		}
		if n > 0 {
			p.credit.take(n)
			if _, err := p.stream.Write(buf.Frame(wire.FrameStdin, n)); err != nil {
				_ = p.stream.SetReadDeadline(time.Unix(1, 0)) // input with a gap is none
				return false
			}
		}
		if err != nil {
			return true
		}
	}
}

// credit counts the bytes of standard input that the agent has room for.
type credit struct {
	mu    sync.Mutex
	more  sync.Cond
	avail int
	limit int
	ended bool
}

func newCredit(n int) *credit {
	c := &credit{avail: n, limit: n}
	c.more.L = &c.mu
	return c
}

// wait returns how much may be sent, at most limit; 0 when it was closed.
func (c *credit) wait(limit int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.avail == 0 && !c.ended {
		c.more.Wait()
	}
	if c.ended {
		return 0
	}
	return min(c.avail, limit)
}

// take uses up n of what wait returned.
func (c *credit) take(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.avail -= n
}

// add returns false when more is given back than was taken.
func (c *credit) add(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > c.limit-c.avail {
		return false
	}
	c.avail += n
	c.more.Signal()
	return true
}

func (c *credit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.more.Signal()
}

func (c *credit) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
