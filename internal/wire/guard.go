package wire

import (
	"bufio"
	"encoding/binary"
	"io"
)

// Frames of the multiplexer, as in its specification
// (github.com/hashicorp/yamux, spec.md): version, type, flags (u16), stream
// (u32), length (u32), and behind data frames length bytes.
const (
	muxHeader   = 12
	muxData     = 0
	muxPing     = 2
	muxGoAway   = 3
	muxSYN      = 1
	muxTypeAt   = 1
	muxFlagsAt  = 2
	muxLengthAt = 8
)

// maxMuxData is the longest frame of data that either side sends. All writes
// to streams are in pieces of that; so a reader that has lost its place is put
// right by so many bytes that are no frame.
const maxMuxData = frameHeader + MaxPayload

// guard passes on what a peer sends and stops at the first frame that is none
// of this protocol's. From an agent these are the ones that the host's
// multiplexer would have to pay for: pings, each of which costs it a
// goroutine, streams that the guest opens, and endless data.
type guard struct {
	r       *bufio.Reader
	from    Direction
	started bool // past the answers to repeated HELLOs
	head    [muxHeader]byte
	have    int    // bytes of head
	body    uint32 // bytes of the current frame to come
	failed  error
}

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	if g.failed == nil && !g.started {
		g.failed = g.skipAcks()
	}
	if g.failed != nil {
		return 0, g.failed
	}
	n, err := g.r.Read(p)
	if g.failed = g.check(p[:n]); g.failed != nil {
		return 0, g.failed
	}
	return n, err
}

// skipAcks reads the answers that came after the first, among them those to
// HELLOs that were cut.
func (g *guard) skipAcks() error {
	for {
		first, err := g.r.Peek(2)
		if err != nil {
			return err
		}
		if string(first) != magic[:2] {
			g.started = true
			return nil
		}
		rec := make([]byte, recordSize)
		if _, err := io.ReadFull(g.r, rec); err != nil {
			return err
		}
		if string(rec[:len(magicAck)]) != magicAck {
			return violation("record %q in place of an answer", rec)
		}
	}
}

// check follows the frames in p, which may begin and end anywhere.
func (g *guard) check(p []byte) error {
	for len(p) > 0 {
		if g.body > 0 {
			n := min(uint64(g.body), uint64(len(p)))
			g.body -= uint32(n)
			p = p[n:]
			continue
		}
		n := copy(g.head[g.have:], p)
		p = p[n:]
		if g.have += n; g.have < muxHeader {
			return nil
		}
		g.have = 0
		if err := g.frame(); err != nil {
			return err
		}
	}
	return nil
}

// frame checks the header in g.head.
func (g *guard) frame() error {
	kind, length := g.head[muxTypeAt], binary.BigEndian.Uint32(g.head[muxLengthAt:])
	switch {
	case g.head[0] != 0 || kind > muxGoAway:
		return violation("multiplexer frame %x", g.head)
	case kind == muxPing:
		return violation("ping")
	case g.from == FromAgent && binary.BigEndian.Uint16(g.head[muxFlagsAt:])&muxSYN != 0:
		return violation("stream opened by the guest")
	case kind == muxData && length > maxMuxData:
		return violation("%d bytes of data in one frame", length)
	}
	if kind == muxData {
		g.body = length
	}
	return nil
}
