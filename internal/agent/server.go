package agent

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

// Options is what a Server is made of.
type Options struct {
	Version string
	Marks   *Marks
	// Procs starts processes.
	Procs *Procs
	// Configure and Shutdown change the machine. They are functions, so that
	// the rest can serve on a host, in tests.
	Configure func(wire.Config) error
	Shutdown  func(grace time.Duration)
	// Console takes what detached processes print. It is written to by
	// several at once.
	ConsolePath string
}

// Server answers a host.
type Server struct {
	opt Options

	mu         sync.Mutex
	configured bool

	buffers buffers
}

// NewServer returns a Server.
func NewServer(opt Options) *Server { return &Server{opt: opt} }

// Serve answers the host on link, after the handshake, until it ends.
func (s *Server) Serve(link io.ReadWriteCloser) error {
	session, err := wire.NewGuestSession(link)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return err
		}
		go s.answer(session, stream)
	}
}

// answer serves one stream. A host that breaks the protocol loses the link.
func (s *Server) answer(session *wire.Session, stream *wire.Stream) {
	defer func() { _ = stream.Close() }()
	var h wire.Header
	err := wire.ReadMessage(stream, &h)
	switch {
	case err != nil:
	case h.Kind == wire.KindControl && h.Control != nil:
		err = s.control(stream, *h.Control)
	case h.Kind == wire.KindExec && h.Exec != nil:
		err = s.exec(session, stream, *h.Exec)
	default:
		err = fmt.Errorf("%w: a stream of kind %q", wire.ErrProtocol, h.Kind)
	}
	if errors.Is(err, wire.ErrProtocol) {
		_ = session.Close()
	}
}

func (s *Server) control(stream *wire.Stream, req wire.Request) error {
	var resp wire.Response
	var after func()
	var err error
	switch {
	case req.Op == wire.OpHello:
		resp.Hello = s.hello()
	case req.Op == wire.OpConfigure && req.Config != nil:
		err = s.configure(*req.Config)
	case req.Op == wire.OpShutdown && req.Shutdown != nil:
		grace := time.Duration(req.Shutdown.GraceMillis) * time.Millisecond
		after = func() { s.opt.Shutdown(grace) }
	default:
		err = fmt.Errorf("unknown request %q", req.Op)
	}
	if err != nil {
		resp.Error = err.Error()
	}
	err = wire.WriteMessage(stream, resp)
	if after != nil {
		_ = stream.Close() // the answer is on its way before anything ends
		after()
	}
	return err
}

func (s *Server) hello() *wire.Hello {
	var u unix.Utsname
	_ = unix.Uname(&u)
	s.mu.Lock()
	defer s.mu.Unlock()
	return &wire.Hello{
		Protocol:     wire.Version,
		AgentVersion: s.opt.Version,
		Kernel:       unix.ByteSliceToString(u.Release[:]),
		Configured:   s.configured,
		Marks:        s.opt.Marks.All(),
	}
}

// configure happens once. After a failure the guest is of no use: the root
// may be half set up.
func (s *Server) configure(cfg wire.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.configured {
		return errors.New("the guest is configured already")
	}
	if err := s.opt.Configure(cfg); err != nil {
		return err
	}
	s.configured = true
	return nil
}
