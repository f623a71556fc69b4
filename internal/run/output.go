package run

import (
	"io"
	"sync"
)

// limitedWriter passes on the first bytes, then calls full and fails.
type limitedWriter struct {
	w    io.Writer
	left int
	full func()
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > l.left {
		n, _ := l.w.Write(p[:l.left])
		l.left = 0
		l.full()
		return n, ErrTooMuchOutput
	}
	n, err := l.w.Write(p)
	l.left -= n
	return n, err
}

// tailBuffer keeps the last bytes written to it.
type tailBuffer struct {
	mu  sync.Mutex
	max int
	buf []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, tail(p, t.max)...)
	if len(t.buf) > 2*t.max {
		t.buf = append(t.buf[:0], tail(t.buf, t.max)...)
	}
	return len(p), nil
}

func (t *tailBuffer) Bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), tail(t.buf, t.max)...)
}

func tail(p []byte, n int) []byte {
	if len(p) > n {
		return p[len(p)-n:]
	}
	return p
}
