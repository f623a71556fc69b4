package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/wire"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	want := wire.Header{Kind: wire.KindExec, Exec: &wire.ExecRequest{Argv: []string{"a", "b"}, TTY: true}}
	var b bytes.Buffer
	if err := wire.WriteMessage(&b, want); err != nil {
		t.Fatal(err)
	}
	var got wire.Header
	if err := wire.ReadMessage(&b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := wire.WriteMessage(io.Discard, strings.Repeat("x", wire.MaxMessage)); !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("a message over the limit: %v", err)
	}
	for in, want := range map[string]error{
		"":                     io.EOF,
		"\x00\x00":             io.ErrUnexpectedEOF,
		"\xff\xff\xff\xff":     wire.ErrProtocol,
		"\x00\x00\x00\x05ab":   io.ErrUnexpectedEOF,
		"\x00\x00\x00\x02x]":   wire.ErrProtocol,
		"\x00\x00\x00\x00":     wire.ErrProtocol,
		"\x00\x00\x00\x04true": wire.ErrProtocol,
	} {
		if err := wire.ReadMessage(strings.NewReader(in), &got); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("0123456789"), 20000)
	var b bytes.Buffer
	w := wire.NewFrameWriter(&b)
	if _, err := w.Stream(wire.FrameStdout).Write(long); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(wire.FrameStdinClose, nil); err != nil {
		t.Fatal(err)
	}
	r := wire.NewFrameReader(&b)
	var got []byte
	for {
		ft, payload, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(payload) > wire.MaxFrame {
			t.Fatalf("a frame of %d bytes", len(payload))
		}
		if ft == wire.FrameStdinClose {
			break
		}
		got = append(got, payload...)
	}
	if !bytes.Equal(got, long) {
		t.Error("a long payload is not what was written")
	}
	for in, want := range map[string]error{
		"": io.EOF, "\x03\x00": io.ErrUnexpectedEOF,
		"\x03\x00\x00\x00\x04ab": io.ErrUnexpectedEOF, "\x03\x00\x01\x00\x01": wire.ErrProtocol,
	} {
		if _, _, err := wire.NewFrameReader(strings.NewReader(in)).Next(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

// link is a byte stream between a host and a guest that may hold bytes of
// earlier users.
func link(t *testing.T) (host net.Conn, guest net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	host, err = net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	guest, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = host.Close(), guest.Close() })
	return host, guest
}

func TestHandshakeSurvivesStaleBytes(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("n", 16)
	for name, stale := range map[string]struct{ toGuest, toHost string }{
		"nothing":            {},
		"garbage":            {strings.Repeat("\x00\xff\x00", 999), "\x00\xff\x00\xffbang" + strings.Repeat("z", 99999)},
		"an old start":       {"\x00\xffbangS1" + other, ""},
		"an old hello":       {"\x00\xffbangH1" + other, ""},
		"an old ack":         {"", "\x00\xffbangA1" + other},
		"half a hello":       {"\x00\xffbangH1" + other[:8], ""},
		"a cut yamux stream": {"\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x40\x00 data", "\x00\x01\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, guest := link(t)
			go func() {
				_, _ = io.WriteString(guest, stale.toHost)
				r := bufio.NewReader(guest)
				if wire.HandshakeGuest(r, guest) == nil {
					_, _ = io.WriteString(guest, "\x00\x00hello host")
				}
			}()
			_, _ = io.WriteString(host, stale.toGuest)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			conn, err := wire.HandshakeHost(ctx, host)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 12)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\x00\x00hello host" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	host, _ := link(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := wire.HandshakeHost(ctx, host); !errors.Is(err, context.Canceled) {
		t.Errorf("a guest that is silent: %v", err)
	}
	host, guest := link(t)
	_ = guest.Close()
	if _, err := wire.HandshakeHost(t.Context(), host); err == nil {
		t.Error("a guest that has hung up is no error")
	}
}

func FuzzHandshakeGuest(f *testing.F) {
	f.Add([]byte("\x00\xffbangH1nnnnnnnnnnnnnnnn\x00\xffbangS1nnnnnnnnnnnnnnnn"))
	f.Add([]byte("\x00\xffbangS1nnnnnnnnnnnnnnnn"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var answers bytes.Buffer
		err := wire.HandshakeGuest(bufio.NewReader(bytes.NewReader(data)), &answers)
		if err == nil && answers.Len() == 0 {
			t.Error("a handshake without a hello")
		}
		if answers.Len() > len(data) {
			t.Error("more is answered than was asked")
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x02hi\x07\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := wire.NewFrameReader(bytes.NewReader(data))
		for total := 0; ; {
			_, payload, err := r.Next()
			if err != nil {
				return
			}
			if total += 5 + len(payload); total > len(data) {
				t.Fatal("frames hold more than there was")
			}
		}
	})
}
