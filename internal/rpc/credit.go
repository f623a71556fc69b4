package rpc

import "sync"

// credit is the client's count of the bytes that it may still send.
type credit struct {
	mu     sync.Mutex
	more   sync.Cond
	bytes  int
	closed bool
}

func newCredit(bytes int) *credit {
	c := &credit{bytes: bytes}
	c.more.L = &c.mu
	return c
}

// wait returns how many bytes may be sent, at least 1; 0 after close.
func (c *credit) wait() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.bytes == 0 && !c.closed {
		c.more.Wait()
	}
	if c.closed {
		return 0
	}
	return c.bytes
}

func (c *credit) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += n
	c.more.Broadcast()
}

func (c *credit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.more.Broadcast()
}
