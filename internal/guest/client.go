package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"banger/internal/model"
	"banger/internal/wire"
)

// Client is a link to one agent. Its methods may be called side by side.
type Client struct {
	session *wire.Session
}

// Connect shakes hands on conn, for as long as ctx lasts, and begins the
// multiplexer. conn is the Client's from here on; it is closed on error.
func Connect(ctx context.Context, conn net.Conn) (*Client, error) {
	link, err := wire.HandshakeHost(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	session, err := wire.NewHostSession(link)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("beginning the multiplexer: %w", err)
	}
	return &Client{session: session}, nil
}

// Done is closed when the link is.
func (c *Client) Done() <-chan struct{} { return c.session.CloseChan() }

// Close ends the link. Processes in the guest that have no terminal go on.
func (c *Client) Close() error { return c.session.Close() }

// Hello asks the agent who it is.
func (c *Client) Hello(ctx context.Context) (wire.Hello, error) {
	resp, err := c.call(ctx, wire.Request{Op: wire.OpHello})
	if err != nil {
		return wire.Hello{}, err
	}
	if resp.Hello == nil {
		return wire.Hello{}, fmt.Errorf("%w: a hello that says nothing", wire.ErrProtocol)
	}
	if resp.Hello.Protocol != wire.Version {
		return wire.Hello{}, model.Errorf(model.CodeUnsupported, "the agent speaks protocol %d, this daemon %d", resp.Hello.Protocol, wire.Version).
			WithHint("restart the VM: it then boots with the agent of this version")
	}
	return *resp.Hello, nil
}

// Configure makes the booted guest what cfg says.
func (c *Client) Configure(ctx context.Context, cfg wire.Config) error {
	_, err := c.call(ctx, wire.Request{Op: wire.OpConfigure, Config: &cfg})
	return err
}

// Shutdown returns when the agent has begun to switch the guest off.
func (c *Client) Shutdown(ctx context.Context, grace time.Duration) error {
	_, err := c.call(ctx, wire.Request{Op: wire.OpShutdown, Shutdown: &wire.Shutdown{GraceMillis: grace.Milliseconds()}})
	return err
}

// call makes one control call.
func (c *Client) call(ctx context.Context, req wire.Request) (wire.Response, error) {
	stream, stop, err := c.open(ctx, wire.Header{Kind: wire.KindControl, Control: &req})
	if err != nil {
		return wire.Response{}, err
	}
	defer stop()
	var resp wire.Response
	if err := wire.ReadMessage(stream, &resp); err != nil {
		return resp, c.explain(ctx, err)
	}
	if resp.Error != "" {
		return resp, fmt.Errorf("the agent says: %s", model.Printable(cut(resp.Error)))
	}
	return resp, nil
}

// open begins a stream. It ends with ctx; stop must be called.
func (c *Client) open(ctx context.Context, h wire.Header) (stream *wire.Stream, stop func(), err error) {
	stream, err = c.session.OpenStream()
	if err != nil {
		return nil, nil, c.explain(ctx, err)
	}
	unwatch := context.AfterFunc(ctx, func() { _ = stream.SetDeadline(time.Unix(1, 0)) })
	stop = func() {
		unwatch()
		_ = stream.Close()
	}
	if err := wire.WriteMessage(stream, h); err != nil {
		stop()
		return nil, nil, c.explain(ctx, err)
	}
	return stream, stop, nil
}

// ErrLost: the link to the agent has ended.
var ErrLost = errors.New("the link to the agent was lost")

// explain tells the caller's end and the link's end from other errors. A
// guest that breaks the protocol loses the link.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, wire.ErrProtocol):
		_ = c.session.Close()
		return err
	case c.session.IsClosed():
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return err
}

// cut bounds a text that comes from a guest.
func cut(s string) string {
	const most = 4096
	return s[:min(len(s), most)]
}
