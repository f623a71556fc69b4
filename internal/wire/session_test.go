package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/wire"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 30 * time.Second // of what takes milliseconds

// pipes returns the ends of a connection: without any buffer, and a socket's.
func pipes(t *testing.T) map[string][2]net.Conn {
	t.Helper()
	a, b := net.Pipe()
	path := filepath.Join(t.TempDir(), "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2]net.Conn{"pipe": {a, b}, "socket": {c, d}}
	t.Cleanup(func() {
		for _, ends := range all {
			_ = ends[0].Close()
			_ = ends[1].Close()
		}
	})
	return all
}

// echo is an agent that greets any number of hosts on conn, one after the
// other, and sends back what comes on their streams.
func echo(conn wire.Conn) {
	for {
		session, err := wire.Accept(conn)
		if err != nil {
			return
		}
		for {
			stream, err := session.Accept()
			if err != nil {
				break
			}
			go func() {
				_, _ = io.Copy(stream, stream)
				_ = stream.Close()
			}()
		}
	}
}

func connect(t *testing.T, conn net.Conn, nonce byte) *wire.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s, err := wire.Connect(ctx, conn, wire.Nonce{nonce})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func checkEcho(t *testing.T, s *wire.Session) {
	t.Helper()
	stream, err := s.Open(t.Context(), &wire.Open{Kind: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	_ = stream.SetDeadline(time.Now().Add(limit))
	var back wire.Open
	if err := wire.ReadMessage(stream, &back); err != nil || back.Kind != "echo" {
		t.Fatalf("%+v, %v", back, err)
	}
}

// TestHandshake: either side may find the bytes of a dead session before it.
func TestHandshake(t *testing.T) {
	t.Parallel()
	nonce := func(b byte) string { return string(append([]byte{b}, make([]byte, 15)...)) }
	for name, tc := range map[string]struct{ toHost, toAgent string }{
		"clean":                 {"", ""},
		"frames":                {strings.Repeat("\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x04data", 5000), strings.Repeat("\x00\x01\x00\x00", 9999)},
		"zeros":                 {strings.Repeat("\x00", 100000), strings.Repeat("\x00", 100000)},
		"half a record":         {wire.MagicAck + "\x01", wire.MagicHello + nonce(9)[:7]},
		"another handshake":     {wire.MagicAck + nonce(9), wire.MagicHello + nonce(9) + wire.MagicStart + nonce(8)},
		"a dead host's start":   {"", wire.MagicStart + nonce(1)},
		"the wrong way":         {wire.MagicHello + nonce(1) + wire.MagicStart + nonce(1), wire.MagicAck + nonce(1)},
		"records in each other": {strings.Repeat(wire.MagicAck[:5], 7), strings.Repeat(wire.MagicHello[:4], 30)},
	} {
		for kind, ends := range pipes(t) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				var wg sync.WaitGroup
				wg.Go(func() { echo(&stale{ends[1], tc.toHost}) })
				checkEcho(t, connect(t, &stale{ends[0], tc.toAgent}, 1))
				_ = ends[0].Close()
				wg.Wait()
			})
		}
	}
}

// stale is a connection with bytes before the first that are written to it.
type stale struct {
	net.Conn
	before string
}

func (s *stale) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(append([]byte(s.before), p...))
	old := min(n, len(s.before))
	s.before = s.before[old:]
	return n - old, err
}

// TestSlowAgent: HELLOs pile up before an agent that boots, and all of them
// are answered; on a pipe the answers are in the way of START.
func TestSlowAgent(t *testing.T) {
	t.Parallel()
	for kind, ends := range pipes(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			a, b := ends[0], ends[1]
			hellos := &counter{Conn: a}
			var wg sync.WaitGroup
			wg.Go(func() {
				for hellos.writes() < 12 { // past the first flush
					time.Sleep(time.Millisecond)
				}
				echo(b)
			})
			checkEcho(t, connect(t, hellos, 1))
			_ = a.Close()
			wg.Wait()
		})
	}
}

// counter counts writes that have begun.
type counter struct {
	net.Conn
	mu sync.Mutex
	n  int
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *counter) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// TestNextHost: the agent's end of the stream is one for all hosts. They drop
// it anywhere, in the middle of a frame and of a record too, and the agent
// does not notice.
func TestNextHost(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"nothing":         "",
		"half a header":   "\x00\x00\x00",
		"half a frame":    "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xff\xffdata",
		"half a record":   wire.MagicHello + "123",
		"a whole record":  wire.MagicHello + "1234567890123456",
		"no frame at all": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := newPort()
			var wg sync.WaitGroup
			wg.Go(func() { echo(agent) })
			for nonce := byte(1); nonce < 4; nonce++ {
				conn := agent.plug()
				s := connect(t, conn, nonce)
				checkEcho(t, s)
				if _, err := s.Open(t.Context(), &wire.Open{Kind: "left open"}); err != nil {
					t.Fatal(err)
				}
				_, _ = conn.Write([]byte(last))
				agent.unplug(conn)
			}
			agent.end()
			wg.Wait()
		})
	}
}

// port is an agent's end that hosts are plugged into, like a virtio port:
// without a host there is nothing to read, and writes are lost.
type port struct {
	mu      sync.Mutex
	changed *sync.Cond
	host    net.Conn
	ended   bool
	woken   bool // by a deadline that has passed
}

func newPort() *port {
	p := &port{}
	p.changed = sync.NewCond(&p.mu)
	return p
}

func (p *port) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.changed.Broadcast()
}

func (p *port) plug() net.Conn {
	mine, theirs := net.Pipe()
	p.set(func() { p.host = mine })
	return theirs
}

func (p *port) unplug(conn net.Conn) { _ = conn.Close() }
func (p *port) end()                 { p.set(func() { p.ended = true }) }

// current waits for a host.
func (p *port) current() (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.host == nil && !p.ended && !p.woken {
		p.changed.Wait()
	}
	switch {
	case p.ended:
		return nil, net.ErrClosed
	case p.woken:
		return nil, os.ErrDeadlineExceeded
	}
	return p.host, nil
}

func (p *port) lose(conn net.Conn) {
	p.set(func() {
		if p.host == conn {
			p.host = nil
		}
	})
}

func (p *port) Read(b []byte) (int, error) {
	for {
		conn, err := p.current()
		if err != nil {
			return 0, err
		}
		n, err := conn.Read(b)
		if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		p.lose(conn) // and wait for the next, without a word
	}
}

func (p *port) Write(b []byte) (int, error) {
	conn, err := p.current()
	if err != nil {
		return 0, err
	}
	n, err := conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	return len(b), nil
}

// Close wakes reads and writes, as that of the agent's port does.
func (p *port) Close() error { return p.SetReadDeadline(time.Unix(1, 0)) }

func (p *port) SetReadDeadline(at time.Time) error {
	p.set(func() {
		p.woken = !at.IsZero()
		if p.host != nil {
			_ = p.host.SetDeadline(at)
		}
	})
	return nil
}

func (p *port) SetWriteDeadline(time.Time) error { return nil }
