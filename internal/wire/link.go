package wire

import (
	"encoding/binary"
	"io"
)

// link is the stream below the multiplexer: it reads what the handshake has
// left, and writes the header of a frame together with its body. The
// multiplexer has two writes for that, and each costs a guest on an emulated
// processor more than the copy.
type link struct {
	io.Reader
	conn Conn
	buf  []byte // a header whose body comes with the next write
}

// Write implements io.Writer; the multiplexer writes from one goroutine.
func (l *link) Write(p []byte) (int, error) {
	if len(l.buf) == 0 && headsBody(p) {
		l.buf = append(l.buf, p...)
		return len(p), nil
	}
	if len(l.buf) == 0 {
		return l.conn.Write(p)
	}
	head := len(l.buf)
	l.buf = append(l.buf, p...)
	n, err := l.conn.Write(l.buf)
	l.buf = l.buf[:0]
	return max(0, n-head), err
}

// headsBody tells whether p is the header of a frame that has a body.
func headsBody(p []byte) bool {
	return len(p) == muxHeader && p[muxTypeAt] == muxData && binary.BigEndian.Uint32(p[muxLengthAt:]) > 0
}

func (l *link) Close() error { return l.conn.Close() }
