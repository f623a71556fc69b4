package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"banger/internal/model"
	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// openTime bounds the wait for the first message of a stream.
const openTime = 30 * time.Second

// Options say what an agent is and does beside running processes.
type Options struct {
	Version string
	// Configure does what the host asks for, once. No process is started
	// before it has succeeded. nil: nothing needs doing.
	Configure func(ctx context.Context, cfg wire.Config) error
	// Grow makes the filesystem of a disk fill it. nil: nothing needs doing.
	Grow func(ctx context.Context, g wire.Grow) error
	// Shutdown switches the guest off. It is called once, when the processes
	// are ended. nil: that was all.
	Shutdown func()
	// Prepare has the last word on how a process is started. May be nil.
	Prepare func(attr *syscall.SysProcAttr)
	// Marks are points of the boot. May be nil.
	Marks func() []wire.Mark
	// Console is what detached processes write to; "" is /dev/null.
	Console string
	// Log is told of errors that no host hears of. nil drops them.
	Log func(err error)
	// Init says that orphans become children of this process: all are reaped.
	Init bool
}

// Server runs processes for a host, over one connection after the other.
type Server struct {
	opts     Options
	children *children
	buffers  buffers
	hangups  sync.WaitGroup // processes being ended because their host is gone
	down     sync.WaitGroup // the shutdown

	mu         sync.Mutex
	configured progress
	stopping   bool
}

// progress is how far the configuration of the guest is.
type progress uint8

const (
	notBegun progress = iota
	begun             // and not done, perhaps failed: half a guest is none
	complete
)

// NewServer starts a server. Its user calls Close.
func NewServer(opts Options) *Server {
	if opts.Console == "" {
		opts.Console = os.DevNull
	}
	if opts.Log == nil {
		opts.Log = func(error) {}
	}
	return &Server{opts: opts, children: newChildren(opts.Init)}
}

// Close kills the processes that still run, the detached ones too, and waits
// for their end, though not for ever. No ServeConn may be under way.
func (s *Server) Close() error {
	s.children.signalAll(unix.SIGKILL)
	s.quiet(killTime)
	s.hangups.Wait()
	s.down.Wait()
	s.children.stop()
	return nil
}

// ServeConn waits for a host on conn, serves it, and returns when the link is
// gone or ctx ends, with conn closed. The host's processes that were not
// detached get SIGHUP then, and after a grace SIGKILL.
func (s *Server) ServeConn(ctx context.Context, conn wire.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	session, err := wire.Accept(conn)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	var streams sync.WaitGroup
	defer streams.Wait()
	defer session.Close()
	places := make(chan struct{}, wire.MaxStreams)
	for {
		stream, err := session.Accept()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		select {
		case places <- struct{}{}:
		case <-session.Done():
			return errors.Join(ctx.Err(), session.Err())
		}
		streams.Go(func() {
			defer func() { <-places }()
			s.serveStream(ctx, session, stream)
		})
	}
}

// serveStream serves one stream. A violation ends the link; any other error
// concerns this stream alone, and its host knows.
func (s *Server) serveStream(ctx context.Context, session *wire.Session, stream net.Conn) {
	defer stream.Close()
	defer func() {
		if r := recover(); r != nil { // one request must not end the guest
			s.opts.Log(fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	err := s.dispatch(ctx, stream)
	if errors.Is(err, wire.ErrViolation) {
		s.opts.Log(fmt.Errorf("dropping the host: %w", err))
		session.Fail(err)
	}
}

func (s *Server) dispatch(ctx context.Context, stream net.Conn) error {
	if err := stream.SetReadDeadline(time.Now().Add(openTime)); err != nil {
		return err
	}
	var open wire.Open
	if err := wire.ReadMessage(stream, &open); err != nil {
		return err
	}
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	switch {
	case open.Kind == wire.KindControl && open.Request != nil:
		return s.serveControl(ctx, stream, open.Request)
	case open.Kind == wire.KindExec && open.Exec != nil:
		return s.serveExec(stream, open.Exec)
	default:
		return fmt.Errorf("%w: stream of kind %.40q", wire.ErrViolation, open.Kind)
	}
}

// ready tells why no process can be started.
func (s *Server) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.configured != complete:
		return model.Errorf(model.CodeConflict, "the guest is not configured yet")
	case s.stopping:
		return model.Errorf(model.CodeConflict, "the guest is shutting down")
	default:
		return nil
	}
}
