package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"time"
)

// The handshake makes a fresh link of a byte stream that outlives its users:
// a virtio-serial port may still hold bytes of a dead session in either
// direction, and tells neither side that the other was replaced.
//
//	host                                 guest
//	HELLO nonce, again each 200 ms  ──▶  (discards all until a HELLO)
//	(discards all until its ACK)    ◀──  ACK nonce, for each HELLO
//	START nonce, once               ──▶  (discards all until START of the last nonce)
//	            the multiplexer follows on both sides
//
// Late ACKs of repeated HELLOs may follow on the host's side; they are told
// from the multiplexer's frames by their first two bytes.
const (
	magicLen    = 8
	nonceLen    = 16
	helloMagic  = "\x00\xffbangH1"
	ackMagic    = "\x00\xffbangA1"
	startMagic  = "\x00\xffbangS1"
	helloRepeat = 200 * time.Millisecond
	bufferSize  = 64 << 10
)

// HandshakeHost makes a link to the guest on conn; it waits for the guest
// until ctx ends. The returned connection replaces conn.
func HandshakeHost(ctx context.Context, conn net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	nonce := make([]byte, nonceLen)
	_, _ = rand.Read(nonce)

	done := make(chan struct{})
	written := make(chan error, 1)
	go func() { written <- repeatHello(conn, nonce, done) }()
	r := bufio.NewReaderSize(conn, bufferSize)
	ack := append([]byte(ackMagic), nonce...)
	err := scanFor(r, ack)
	close(done)
	if writeErr := <-written; err == nil {
		err = writeErr
	}
	if err == nil {
		_, err = conn.Write(append([]byte(startMagic), nonce...))
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("waiting for the agent: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("shaking hands with the agent: %w", err)
	}
	return &hostConn{Conn: conn, r: r, ack: ack}, nil
}

func repeatHello(w io.Writer, nonce []byte, done <-chan struct{}) error {
	hello := append([]byte(helloMagic), nonce...)
	tick := time.NewTicker(helloRepeat)
	defer tick.Stop()
	for {
		if _, err := w.Write(hello); err != nil {
			return err
		}
		select {
		case <-done:
			return nil
		case <-tick.C:
		}
	}
}

// scanFor discards bytes until want has been read.
func scanFor(r io.ByteReader, want []byte) error {
	tail := make([]byte, 0, len(want))
	for !bytes.Equal(tail, want) {
		b, err := r.ReadByte()
		if err != nil {
			return noEOF(err)
		}
		if len(tail) == len(want) {
			copy(tail, tail[1:])
			tail = tail[:len(want)-1]
		}
		tail = append(tail, b)
	}
	return nil
}

// hostConn is a connection after the handshake: what was read ahead comes
// first, and late ACKs are skipped until the multiplexer has begun.
type hostConn struct {
	net.Conn
	r   *bufio.Reader
	ack []byte // nil when no ACK can come any more
}

func (c *hostConn) Read(p []byte) (int, error) {
	for c.ack != nil {
		head, err := c.r.Peek(2)
		if err != nil {
			return 0, err
		}
		if string(head) != ackMagic[:2] {
			c.ack = nil // a yamux frame: version 0, type 0 to 3
			break
		}
		late := make([]byte, len(c.ack))
		if _, err := io.ReadFull(c.r, late); err != nil {
			return 0, noEOF(err)
		}
		if !bytes.Equal(late, c.ack) {
			return 0, fmt.Errorf("%w: neither a frame nor an ACK", ErrProtocol)
		}
	}
	return c.r.Read(p)
}

// HandshakeGuest waits on r for a host, answers it on w, and returns when the
// multiplexer is to begin. r must be buffered and used on.
func HandshakeGuest(r *bufio.Reader, w io.Writer) error {
	var tail [magicLen]byte
	var nonce, last [nonceLen]byte
	for n := 0; ; {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		copy(tail[:magicLen], tail[1:magicLen])
		tail[magicLen-1] = b
		if n++; n < magicLen {
			continue
		}
		magic := string(tail[:magicLen])
		if magic != helloMagic && magic != startMagic {
			continue
		}
		if _, err := io.ReadFull(r, nonce[:nonceLen]); err != nil {
			return noEOF(err)
		}
		n = 0
		if magic == startMagic {
			if nonce == last {
				return nil
			}
			continue
		}
		last = nonce
		if _, err := w.Write(append([]byte(ackMagic), nonce[:nonceLen]...)); err != nil {
			return err
		}
	}
}
