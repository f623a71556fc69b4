package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Conn is what the wire runs over: a net.Conn on the host, a port in a guest.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Nonce marks the records of one handshake. It is random and used once.
type Nonce [16]byte

// The handshake. The byte stream between host and guest outlives both of its
// users, so either may find bytes of a dead session before it:
//
//	host   repeats HELLO+nonce until it is answered
//	agent  answers each HELLO with ACK and the same nonce
//	host   sends START+nonce, once, and begins to multiplex
//	agent  begins to multiplex after the START of the last nonce it saw
//
// Both skip all that is no record of theirs. A record begins with 00 ff,
// which no frame of the multiplexer does, so that the host can also tell the
// answers to its later HELLOs from the first frame.
const (
	magic      = "\x00\xffBNG"
	magicHello = magic + "H"
	magicAck   = magic + "A"
	magicStart = magic + "S"

	recordSize = len(magicHello) + len(Nonce{})
)

const (
	helloEvery = 200 * time.Millisecond
	helloFirst = 25 * time.Millisecond // the first is repeated sooner, and each later than the one before
	// An agent that did not notice the end of its last session takes HELLOs
	// for the rest of a frame. After so many of them, and twice, four times as
	// many, the host sends more bytes than a frame has that are no frame.
	flushAfter = 8 // about a second
	flushSize  = muxHeader + maxMuxData + 1
	bufferSize = 64 << 10
)

func record(kind string, n Nonce) []byte { return append([]byte(kind), n[:]...) }

// nextRecord skips to the next record and returns it; it is still in r, and
// must be discarded by its first byte alone when it turns out to be a record
// that was cut, with another behind it.
func nextRecord(r *bufio.Reader, skipped *int) ([]byte, error) {
	for {
		b, err := r.Peek(recordSize)
		if err != nil {
			return nil, err
		}
		if string(b[:len(magic)]) == magic {
			return b, nil
		}
		if b, err = r.Peek(r.Buffered()); err != nil {
			return nil, err
		}
		n := len(b)
		if i := bytes.IndexByte(b[1:], magic[0]); i >= 0 {
			n = i + 1
		}
		if *skipped += n; *skipped > maxStale {
			return nil, violation("%d bytes and no record among them", maxStale)
		}
		if _, err := r.Discard(n); err != nil {
			return nil, err
		}
	}
}

// greet is the host's side of the handshake. It returns the reader that goes
// on where the handshake ends.
func greet(ctx context.Context, conn Conn, nonce Nonce) (*bufio.Reader, error) {
	r := &host{conn: conn, r: bufio.NewReaderSize(conn, bufferSize), ack: record(magicAck, nonce)}
	flushAt, wait := flushAfter, helloFirst
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hello := record(magicHello, nonce)
		if try == flushAt {
			hello = append(garbage(flushSize), hello...)
			flushAt *= 2
		}
		if _, err := r.send(hello); err != nil {
			return nil, err
		}
		if ok, err := r.awaitAck(wait); err != nil {
			return nil, err
		} else if ok {
			break
		}
		wait = min(2*wait, helloEvery)
	}
	if err := r.start(ctx, record(magicStart, nonce)); err != nil {
		return nil, err
	}
	return r.r, clearDeadlines(conn)
}

// garbage returns n bytes that no multiplexer takes for a frame.
func garbage(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// host is the state of greet.
type host struct {
	conn    Conn
	r       *bufio.Reader
	ack     []byte
	skipped int
}

// send writes b, or as much as the peer takes in time: a record that was cut
// is skipped by the peer.
func (h *host) send(b []byte) (whole bool, err error) {
	if err := h.conn.SetWriteDeadline(time.Now().Add(helloEvery)); err != nil {
		return false, err
	}
	_, err = h.conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return err == nil, err
}

// awaitAck skips bytes until the ACK, no longer than wait.
func (h *host) awaitAck(wait time.Duration) (bool, error) {
	if err := h.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return false, err
	}
	for {
		rec, err := nextRecord(h.r, &h.skipped)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if string(rec) == string(h.ack) {
			_, err := h.r.Discard(recordSize)
			return true, err
		}
		if _, err := h.r.Discard(1); err != nil {
			return false, err
		}
	}
}

// start writes START whole. While the agent is still busy with answers to
// earlier HELLOs, they are read out of its way.
func (h *host) start(ctx context.Context, rec []byte) error {
	for {
		if whole, err := h.send(rec); err != nil || whole {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := h.awaitAck(helloEvery); err != nil {
			return err
		}
	}
}

func clearDeadlines(conn Conn) error {
	return errors.Join(conn.SetReadDeadline(time.Time{}), conn.SetWriteDeadline(time.Time{}))
}

// answer is the agent's side of the handshake. It returns the reader that
// goes on where the handshake ends.
func answer(conn Conn) (*bufio.Reader, error) {
	if err := clearDeadlines(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, bufferSize)
	var last []byte // START of the last HELLO
	for {
		skipped := 0 // the host is trusted: no limit in all
		rec, err := nextRecord(r, &skipped)
		if err != nil {
			return nil, fmt.Errorf("waiting for a host: %w", err)
		}
		if string(rec) == string(last) {
			_, err := r.Discard(recordSize)
			return r, err
		}
		if kind, nonce := rec[:len(magicHello)], Nonce(rec[len(magicHello):]); string(kind) == magicHello {
			last = record(magicStart, nonce)
			if _, err := conn.Write(record(magicAck, nonce)); err != nil {
				return nil, fmt.Errorf("answering a host: %w", err)
			}
		}
		if _, err := r.Discard(1); err != nil {
			return nil, err
		}
	}
}
