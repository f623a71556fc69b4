package guest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"banger/internal/model"
	"banger/internal/wire"
)

// Times that bound control calls, beside the caller's own.
const (
	controlTimeout   = 30 * time.Second
	configureTimeout = 5 * time.Minute // growing a filesystem takes its time
)

// Client talks to the agent of one guest. Its methods may be called at the
// same time.
type Client struct {
	session *wire.Session
	execs   chan struct{} // a place for each process
}

// Connect performs the handshake on conn, repeating itself until an agent
// answers or ctx ends, and starts the multiplexer. The caller bounds ctx: a
// guest that never boots never answers. On error conn is closed; afterwards
// it belongs to the Client.
func Connect(ctx context.Context, conn net.Conn) (*Client, error) {
	var nonce wire.Nonce
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	session, err := wire.Connect(ctx, conn, nonce)
	if err != nil {
		return nil, err
	}
	return &Client{session: session, execs: make(chan struct{}, wire.MaxExecs)}, nil
}

// Done is closed when the link to the agent is gone.
func (c *Client) Done() <-chan struct{} { return c.session.Done() }

// Err returns nil while the link is up, and afterwards why it ended.
func (c *Client) Err() error { return c.session.Err() }

// Close ends the link. Processes that were not detached are ended by the
// agent.
func (c *Client) Close() error { return c.session.Close() }

// Hello asks the agent who it is. An agent whose protocol this host does not
// speak is CodeUnsupported.
func (c *Client) Hello(ctx context.Context) (wire.Hello, error) {
	resp, err := c.control(ctx, controlTimeout, wire.Request{Op: wire.OpHello})
	if err != nil {
		return wire.Hello{}, fmt.Errorf("greeting the guest: %w", err)
	}
	h := resp.Hello
	if h == nil {
		return wire.Hello{}, c.broken(fmt.Errorf("%w: hello without an answer", wire.ErrViolation))
	}
	if err := h.Validate(); err != nil {
		return wire.Hello{}, c.broken(err)
	}
	if h.Protocol != wire.Version && h.Protocol != wire.Version-1 {
		return wire.Hello{}, model.Errorf(model.CodeUnsupported,
			"the guest's agent %s speaks protocol %d, this host %d", h.AgentVersion, h.Protocol, wire.Version).
			WithHint("stop and start the VM: it boots with this host's agent")
	}
	return *h, nil
}

// Configure makes the booted guest usable: root filesystem, name, time,
// network. It is done once per boot; a second time is CodeConflict.
func (c *Client) Configure(ctx context.Context, cfg wire.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if _, err := c.control(ctx, configureTimeout, wire.Request{Op: wire.OpConfigure, Config: &cfg}); err != nil {
		return fmt.Errorf("configuring the guest: %w", err)
	}
	return nil
}

// Shutdown asks the guest to end its processes, which have grace (to the
// millisecond) between SIGTERM and SIGKILL, and to switch itself off. It
// returns when the guest has accepted that.
func (c *Client) Shutdown(ctx context.Context, grace time.Duration) error {
	req := wire.Request{Op: wire.OpShutdown, Shutdown: &wire.Shutdown{GraceMillis: grace.Milliseconds()}}
	if _, err := c.control(ctx, controlTimeout, req); err != nil {
		return fmt.Errorf("shutting the guest down: %w", err)
	}
	return nil
}

// Grow makes the filesystem on a disk that is mounted in the guest as large as
// the disk, which has grown to size bytes.
func (c *Client) Grow(ctx context.Context, device string, size int64) error {
	req := wire.Request{Op: wire.OpGrow, Grow: &wire.Grow{Device: device, SizeBytes: size}}
	if err := req.Grow.Validate(); err != nil {
		return err
	}
	if _, err := c.control(ctx, configureTimeout, req); err != nil {
		return fmt.Errorf("growing the filesystem on %s: %w", device, err)
	}
	return nil
}

// control makes one call on a stream of its own.
func (c *Client) control(ctx context.Context, limit time.Duration, req wire.Request) (wire.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stream, err := c.session.Open(ctx, &wire.Open{Kind: wire.KindControl, Request: &req})
	if err != nil {
		return wire.Response{}, c.explain(ctx, err)
	}
	defer closeStream(stream)
	stop := interrupt(ctx, stream)
	defer stop()
	var resp wire.Response
	if err := wire.ReadMessage(stream, &resp); err != nil {
		return resp, c.explain(ctx, err)
	}
	if resp.Fault != nil {
		return resp, resp.Fault.Err()
	}
	return resp, nil
}

// ErrLost is in the chain of errors of a link that ended: the guest, its
// machine or its agent went away, or Close was called.
var ErrLost = errors.New("the link to the guest's agent was lost")

// explain turns an error of a stream into the one to return: that of ctx when
// it ended, a broken protocol, or ErrLost.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, wire.ErrViolation):
		return c.broken(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &model.Error{Code: model.CodeTimeout, Msg: "the guest's agent did not answer in time", Err: ctx.Err()}
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		if cause := c.session.Err(); cause != nil {
			err = cause
		}
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
}

// broken ends the link to an agent that does not keep to the protocol.
func (c *Client) broken(err error) error {
	c.session.Fail(err)
	return model.Errorf(model.CodeBoot, "the guest's agent broke the protocol: %w", err).
		WithHint("do not trust this guest; stop it")
}

// interrupt wakes all reads and writes of stream when ctx ends.
func interrupt(ctx context.Context, stream net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = stream.SetDeadline(time.Unix(1, 0)) })
}

// closeStream says goodbye without holding up the caller: a link that does not
// move, as that of a paused guest, holds up the multiplexer.
func closeStream(stream net.Conn) { go func() { _ = stream.Close() }() }
