package agent

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"banger/internal/model"
	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// farewell is how long a shutdown waits for its host to have the answer.
const farewell = time.Second

// serveControl makes one call.
func (s *Server) serveControl(ctx context.Context, stream net.Conn, req *wire.Request) error {
	var resp wire.Response
	var err error
	switch {
	case req.Op == wire.OpHello:
		resp.Hello = s.hello()
	case req.Op == wire.OpConfigure && req.Config != nil:
		err = s.configure(ctx, *req.Config)
	case req.Op == wire.OpStatus:
		resp.Status, err = status()
	case req.Op == wire.OpPorts:
		resp.Ports, err = listening()
	case req.Op == wire.OpShutdown && req.Shutdown != nil:
		return s.shutdown(stream, req.Shutdown.Grace())
	case req.Op == wire.OpGrow && req.Grow != nil:
		err = s.grow(ctx, *req.Grow)
	default:
		err = model.Errorf(model.CodeUnsupported, "the agent has no call %.40q", req.Op)
	}
	if err != nil {
		resp.Fault = wire.NewFault(err)
	}
	return wire.WriteMessage(stream, &resp)
}

func (s *Server) hello() *wire.Hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &wire.Hello{
		Protocol:     wire.Version,
		AgentVersion: s.opts.Version,
		Configured:   s.configured == complete,
	}
	if s.opts.Marks != nil {
		h.Marks = s.opts.Marks()
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		h.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.BootID = strings.TrimSpace(string(id))
	}
	return h
}

// configure configures the guest. There is one attempt: what a failed one
// left behind is for the host to end.
func (s *Server) configure(ctx context.Context, cfg wire.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	again := s.configured != notBegun
	s.configured = max(s.configured, begun)
	s.mu.Unlock()
	if again {
		return model.Errorf(model.CodeConflict, "the guest is configured already")
	}
	if s.opts.Configure != nil {
		if err := s.opts.Configure(ctx, cfg); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configured = complete
	return nil
}

// grow grows a filesystem of a guest that is configured.
func (s *Server) grow(ctx context.Context, g wire.Grow) error {
	if err := g.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	ready := s.configured == complete
	s.mu.Unlock()
	if !ready {
		return model.Errorf(model.CodeConflict, "the guest is not configured")
	}
	if s.opts.Grow == nil {
		return nil
	}
	return s.opts.Grow(ctx, g)
}

// shutdown answers the host and then ends the guest. A second call changes
// nothing.
func (s *Server) shutdown(stream net.Conn, grace time.Duration) error {
	if err := wire.WriteMessage(stream, &wire.Response{}); err != nil {
		return err
	}
	if err := stream.SetReadDeadline(time.Now().Add(farewell)); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, stream) // until the host has read it and closes
	s.PowerOff(grace)
	return nil
}

// PowerOff begins to end the guest, unless that has begun already: no process
// is started any more. It does not wait.
func (s *Server) PowerOff(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping = true
	s.down.Go(func() {
		s.endProcesses(grace)
		if s.opts.Shutdown != nil {
			s.opts.Shutdown()
		}
	})
}
