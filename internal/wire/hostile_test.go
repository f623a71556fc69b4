package wire_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/wire"
)

// muxFrame is a frame of the multiplexer.
func muxFrame(version, kind byte, flags uint16, stream, length uint32, body string) string {
	b := binary.BigEndian.AppendUint16([]byte{version, kind}, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return string(binary.BigEndian.AppendUint32(b, length)) + body
}

// shake is an agent's side of the handshake, with nothing behind it.
func shake(t *testing.T, conn net.Conn) {
	t.Helper()
	hello := make([]byte, 22)
	if _, err := io.ReadFull(conn, hello); err != nil {
		t.Error(err)
	}
	if _, err := conn.Write(append([]byte(wire.MagicAck), hello[6:]...)); err != nil {
		t.Error(err)
	}
}

// TestHostileAgent: the first frame that breaks the protocol ends the link,
// and the host knows why.
func TestHostileAgent(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]string{
		"version":               muxFrame(1, 0, 0, 1, 0, ""),
		"type":                  muxFrame(0, 4, 0, 1, 0, ""),
		"ping":                  muxFrame(0, 2, 1, 0, 1, ""),
		"answer to a ping":      muxFrame(0, 2, 2, 0, 1, ""),
		"stream of its own":     muxFrame(0, 1, 1, 2, 0, ""),
		"stream with data":      muxFrame(0, 0, 1, 2, 4, "data"),
		"endless data":          muxFrame(0, 0, 0, 1, 1<<32-1, ""),
		"data over the limit":   muxFrame(0, 0, 0, 1, 64<<10+6, ""),
		"after a good frame":    muxFrame(0, 1, 0, 9, 5, "") + muxFrame(0, 0, 0, 9, 4, "data") + muxFrame(0, 2, 1, 0, 1, ""),
		"after a late answer":   wire.MagicAck + strings.Repeat("x", 16) + "\x00\x02",
		"not a late answer":     wire.MagicHello + strings.Repeat("x", 16),
		"garbage":               strings.Repeat("\xff", 22),
		"text":                  "login: " + strings.Repeat(" ", 20),
		"ping, byte after byte": "",
	} {
		host, agent := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			shake(t, agent)
			go io.Copy(io.Discard, agent) //nolint:errcheck // until the end
			if bytes == "" {
				for _, b := range []byte(muxFrame(0, 2, 1, 0, 1, "")) {
					_, _ = agent.Write([]byte{b})
				}
				return
			}
			_, _ = io.WriteString(agent, bytes+strings.Repeat("\x00", 12))
		}()
		s := connect(t, host, 1)
		select {
		case <-s.Done():
		case <-time.After(limit):
			t.Errorf("%s: the link goes on", name)
		}
		if err := s.Err(); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Open(t.Context(), &wire.Open{}); err == nil {
			t.Errorf("%s: a stream can be opened", name)
		}
		<-done
		_ = agent.Close()
	}
}

// TestStuckLink: a peer that reads nothing holds up nobody for longer than
// they want.
func TestStuckLink(t *testing.T) {
	t.Parallel()
	host, agent := net.Pipe()
	defer agent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := wire.Connect(ctx, host, wire.Nonce{1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := host.Write(nil); err == nil {
		t.Error("the connection is open after a failed handshake")
	}
	host, agent = net.Pipe()
	defer agent.Close()
	shaken := make(chan struct{})
	go func() {
		defer close(shaken)
		shake(t, agent)
		_, _ = io.ReadFull(agent, make([]byte, 22))
	}()
	s := connect(t, host, 1)
	<-shaken
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Open(ctx, &wire.Open{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: %v", err)
	}
	if s.Err() != nil {
		t.Errorf("the link has ended: %v", s.Err())
	}
	s.Fail(io.ErrNoProgress)
	s.Fail(io.ErrShortBuffer)
	if err := s.Err(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("after Fail: %v", err)
	}
}

// TestPeerLeaves: the other side sees the end.
func TestPeerLeaves(t *testing.T) {
	t.Parallel()
	for kind, ends := range pipes(t) {
		var wg sync.WaitGroup
		wg.Go(func() { echo(ends[1]) })
		s := connect(t, ends[0], 1)
		checkEcho(t, s)
		_ = ends[1].Close()
		<-s.Done()
		if s.Err() == nil {
			t.Errorf("%s: no reason", kind)
		}
		wg.Wait()
	}
}

// FuzzAnswer: whatever stands before a handshake, an agent comes to it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(wire.MagicHello + "0123456789abcdef" + wire.MagicStart + "0123456789abcde"))
	f.Add([]byte("\x00\x00\xff\xffBNG\x00\xffBNGH"))
	f.Fuzz(func(t *testing.T, before []byte) {
		if bytes.Contains(before, []byte(wire.MagicStart)) {
			t.Skip("may be a whole handshake, with a session behind it")
		}
		host, agent := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { echo(agent) })
		checkEcho(t, connect(t, &stale{host, string(before)}, 1))
		_ = host.Close()
		wg.Wait()
	})
}

// FuzzHost: whatever an agent says, a host ends with its context or the link.
func FuzzHost(f *testing.F) {
	ack := wire.MagicAck + "\x01" + strings.Repeat("\x00", 15)
	f.Add([]byte(ack + muxFrame(0, 1, 2, 1, 0, "") + muxFrame(0, 0, 0, 1, 4, "data")))
	f.Add([]byte(ack + ack + muxFrame(0, 3, 0, 0, 0, "")))
	f.Add([]byte(muxFrame(0, 0, 4, 1, 4, "data") + ack))
	f.Fuzz(func(t *testing.T, says []byte) {
		host, agent := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, agent) })
		wg.Go(func() {
			_, _ = agent.Write(says)
			_ = agent.Close()
		})
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if s, err := wire.Connect(ctx, host, wire.Nonce{1}); err == nil {
			if stream, err := s.Open(ctx, &wire.Open{}); err == nil {
				_, _ = io.Copy(io.Discard, stream)
			}
			<-s.Done()
		}
		wg.Wait()
	})
}
