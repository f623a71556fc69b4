package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Session is a multiplexed link. The host opens streams, the agent accepts
// them.
type Session struct {
	mux *yamux.Session

	mu   sync.Mutex
	fail error // what the user of the session ended it for
}

// Connect is the host's side: the handshake, repeated until an agent answers
// or ctx ends, and the multiplexer. On error conn is closed.
func Connect(ctx context.Context, conn Conn, nonce Nonce) (*Session, error) {
	r, err := greet(ctx, conn, nonce)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for the agent: %w", err), conn.Close())
	}
	mux, err := yamux.Client(&link{Reader: &guard{r: r, from: FromAgent}, conn: conn}, muxConfig(hostCloseTimeout))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Session{mux: mux}, nil
}

// Accept is the agent's side: it waits for a host. An error means that conn
// ended or was closed; it is left open otherwise.
func Accept(conn Conn) (*Session, error) {
	r, err := answer(conn)
	if err != nil {
		return nil, err
	}
	mux, err := yamux.Server(&link{Reader: &guard{r: r, from: FromHost, started: true}, conn: conn}, muxConfig(agentCloseTimeout))
	if err != nil {
		return nil, err
	}
	return &Session{mux: mux}, nil
}

// muxConfig bounds the multiplexer. Keepalives are off: a dead peer closes the
// stream below, and an idle guest is to stay idle.
func muxConfig(closeTimeout time.Duration) *yamux.Config {
	return &yamux.Config{
		AcceptBacklog:          MaxStreams,
		KeepAliveInterval:      writeTimeout, // unused, must not be zero
		ConnectionWriteTimeout: writeTimeout,
		MaxStreamWindowSize:    maxWindow,
		StreamOpenTimeout:      0, // slow is not dead
		StreamCloseTimeout:     closeTimeout,
		Logger:                 silent{},
	}
}

// silent drops the multiplexer's talk: its errors are returned as well.
type silent struct{}

func (silent) Print(...any)          {}
func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// Open opens a stream and sends its first message.
func (s *Session) Open(ctx context.Context, first *Open) (net.Conn, error) {
	type result struct {
		stream net.Conn
		err    error
	}
	done := make(chan result, 1)
	go func() {
		stream, err := s.mux.Open()
		if err == nil {
			err = WriteMessage(stream, first)
		}
		if err != nil && stream != nil {
			_ = stream.Close()
		}
		done <- result{stream, err}
	}()
	select {
	case r := <-done:
		return r.stream, r.err
	case <-ctx.Done():
		// A link that does not move holds the multiplexer until it ends.
		go func() {
			if r := <-done; r.err == nil {
				_ = r.stream.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Accept returns the next stream of the host. After an error the session uses
// the stream below no more: it is the next one's.
func (s *Session) Accept() (net.Conn, error) {
	stream, err := s.mux.Accept()
	if err != nil {
		return nil, errors.Join(err, s.mux.Close()) // waits for those who read and write
	}
	return stream, nil
}

// Fail ends the link because of err, which Err will return.
func (s *Session) Fail(err error) {
	s.mu.Lock()
	if s.fail == nil && !s.mux.IsClosed() {
		s.fail = err
	}
	s.mu.Unlock()
	_ = s.mux.Close()
}

// Close ends the link and all its streams.
func (s *Session) Close() error { return s.mux.Close() }

// Done is closed when the link is gone.
func (s *Session) Done() <-chan struct{} { return s.mux.CloseChan() }

// Err returns nil while the link is up, and afterwards why it ended.
func (s *Session) Err() error {
	select {
	case <-s.Done():
	default:
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	// The multiplexer tells what ended it to those who wait for a stream.
	_, err := s.mux.AcceptStream()
	return err
}
