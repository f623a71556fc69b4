package rpc

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

// handshakeTimeout is how long a daemon may take to open a connection.
const handshakeTimeout = 5 * time.Second

// attach runs an operation with standard input and output.
func attach[R any](ctx context.Context, c *Client, verb string, params any, wantsStdin bool, stdio Stdio, report model.Report) (R, error) {
	var none R
	conn, err := c.openSocket(ctx, verb)
	if err != nil {
		return none, err
	}
	defer func() { _ = conn.CloseNow() }()
	defer context.AfterFunc(ctx, func() { _ = conn.CloseNow() })()
	first, err := json.Marshal(params)
	if err != nil {
		return none, model.Errorf(model.CodeInternal, "encoding the parameters of %s: %w", verb, err)
	}
	if err := conn.SendText(ctx, first); err != nil {
		return none, broken(ctx, verb, err)
	}
	p := &clientProcess{conn: conn, verb: verb, stdio: stdio, report: report, credit: newCredit(protocol.StdinWindow)}
	ended := make(chan struct{})
	defer close(ended)
	defer p.credit.close()
	go p.sendControls(ctx, ended)
	if wantsStdin {
		go p.sendStdin(ctx)
	}
	return receive[R](ctx, p)
}

// openSocket opens the connection of a call. Nothing has been asked of the
// daemon until it is open, so it may be tried again.
func (c *Client) openSocket(ctx context.Context, verb string) (*protocol.FrameConn, error) {
	conn, err := c.shakeHands(ctx, verb)
	if err == nil || c.start == nil {
		return conn, err
	}
	if code := model.CodeOf(err); code != model.CodeUnreachable && code != model.CodeTimeout {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	return c.shakeHands(ctx, verb)
}

// shakeHands gives up on a daemon that does not answer.
func (c *Client) shakeHands(ctx context.Context, verb string) (*protocol.FrameConn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "ws://"+protocol.Host+protocol.PathPrefix+verb, &websocket.DialOptions{ //nolint:bodyclose // Dial closes it, or it is the connection
		HTTPClient: &http.Client{Transport: c.transport},
		HTTPHeader: http.Header{protocol.VersionHeader: {protocol.Version}},
	})
	if resp != nil {
		if refused := checkResponse(resp, c.socket, http.StatusSwitchingProtocols); refused != nil {
			if ws != nil {
				_ = ws.CloseNow()
			}
			return nil, refused
		}
	}
	if err != nil {
		return nil, broken(ctx, verb, err)
	}
	return protocol.NewFrameConn(ws), nil
}

// clientProcess is the client's side of one process.
type clientProcess struct {
	conn   *protocol.FrameConn
	verb   string
	stdio  Stdio
	report model.Report
	credit *credit
}

// receive takes the server's messages up to the last one.
func receive[R any](ctx context.Context, p *clientProcess) (result R, err error) {
	for {
		kind, payload, err := p.conn.Receive(ctx)
		if err != nil {
			return result, broken(ctx, p.verb, err)
		}
		switch kind {
		case protocol.FrameExit:
			if err := json.Unmarshal(payload, &result); err != nil {
				return result, malformed(p.verb, err)
			}
			return result, nil
		case protocol.FrameError:
			return result, readError(p.verb, payload)
		}
		if err := p.take(kind, payload); err != nil {
			return result, err
		}
	}
}

// take handles one message that is not the last.
func (p *clientProcess) take(kind protocol.Frame, payload []byte) error {
	switch kind {
	case protocol.FrameStdout:
		return write(p.stdio.Stdout, payload)
	case protocol.FrameStderr:
		return write(p.stdio.Stderr, payload)
	case protocol.FrameProgress:
		return takeJSON(p.verb, payload, p.report)
	case protocol.FrameStarted:
		if p.stdio.Started != nil {
			return takeJSON(p.verb, payload, p.stdio.Started)
		}
	case protocol.FrameWindow:
		if len(payload) != 4 {
			return malformed(p.verb, errors.New("a window message of a wrong size"))
		}
		p.credit.add(int(min(binary.BigEndian.Uint32(payload), protocol.StdinWindow)))
	}
	return nil // of a newer minor version
}

func takeJSON[T any](verb string, payload []byte, take func(T)) error {
	var value T
	if err := json.Unmarshal(payload, &value); err != nil {
		return malformed(verb, err)
	}
	take(value)
	return nil
}

func write(w io.Writer, payload []byte) error {
	if w == nil {
		return nil
	}
	if _, err := w.Write(payload); err != nil {
		return model.Errorf(model.CodeCanceled, "writing the output: %w", err)
	}
	return nil
}

// sendControls passes on sizes and signals until ended is closed.
func (p *clientProcess) sendControls(ctx context.Context, ended <-chan struct{}) {
	resize, signals := p.stdio.Resize, p.stdio.Signals
	for {
		var err error
		select {
		case size, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			err = p.conn.SendJSON(ctx, protocol.FrameResize, size)
		case name, ok := <-signals:
			if !ok {
				signals = nil
				continue
			}
			err = p.conn.Send(ctx, protocol.FrameSignal, []byte(name))
		case <-ended:
			return
		}
		if err != nil {
			return // receive sees the end of the connection too
		}
	}
}

// sendStdin passes on input until its end, reading no more than the window
// lets it send.
func (p *clientProcess) sendStdin(ctx context.Context) {
	buf := make([]byte, 32<<10)
	for p.stdio.Stdin != nil {
		room := p.credit.wait()
		if room == 0 {
			return
		}
		n, err := p.stdio.Stdin.Read(buf[:min(room, len(buf))])
		if n > 0 {
			p.credit.add(-n)
			if p.conn.Send(ctx, protocol.FrameStdin, buf[:n]) != nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	_ = p.conn.Send(ctx, protocol.FrameStdinEnd, nil)
}
