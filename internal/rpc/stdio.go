package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"banger/internal/model"
)

// A process in a VM has its standard input and output on a WebSocket. The
// client's first message is text: the parameters as JSON. All others are
// binary: one byte that says what it is, then the payload.
//
//	byte  from    payload
//	0     server  progress: model.Progress as JSON
//	1     server  started: model.VM as JSON, once
//	2     client  standard input, within the window
//	3     client  end of standard input: empty
//	4     server  standard output
//	5     server  standard error
//	6     client  resize: model.WinSize as JSON
//	7     client  signal: its name without SIG
//	8     server  exit: model.ExitStatus as JSON; the last message
//	9     server  error: model.Error as JSON; the last message
//	10    server  window: bytes of input that were taken, uint32, big-endian
//
// Input has a window, since a process that does not read must not hold up the
// signals behind its input: the client may have stdinWindow bytes on the way
// that no window message has confirmed. Output needs none: a client that does
// not read holds up the process, which is what a pipe does.
type frame byte

const (
	frameProgress frame = iota
	frameStarted
	frameStdin
	frameStdinEnd
	frameStdout
	frameStderr
	frameResize
	frameSignal
	frameExit
	frameError
	frameWindow
)

const (
	stdinWindow = 256 << 10 // bytes
	maxChunk    = 64 << 10  // bytes of input or output in one message
	maxSignal   = 16        // bytes of a signal's name
)

// frameConn sends and receives messages on a WebSocket. Reads and writes do
// not watch a context of their own: to end them the connection is closed.
type frameConn struct {
	ws  *websocket.Conn
	mu  sync.Mutex // of writing
	out []byte
	in  bytes.Buffer
}

func newFrameConn(ws *websocket.Conn) *frameConn {
	ws.SetReadLimit(MaxBody)
	return &frameConn{ws: ws}
}

func (c *frameConn) send(ctx context.Context, kind frame, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(append(c.out[:0], byte(kind)), payload...)
	return c.ws.Write(context.WithoutCancel(ctx), websocket.MessageBinary, c.out)
}

func (c *frameConn) sendJSON(ctx context.Context, kind frame, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return model.Errorf(model.CodeInternal, "encoding a message: %w", err)
	}
	return c.send(ctx, kind, payload)
}

func (c *frameConn) sendWindow(ctx context.Context, taken int) error {
	return c.send(ctx, frameWindow, binary.BigEndian.AppendUint32(nil, uint32(taken)))
}

// receive returns the next message; the payload is good until the next call.
func (c *frameConn) receive(ctx context.Context) (frame, []byte, error) {
	kind, body, err := c.receiveMessage(ctx)
	if err != nil {
		return 0, nil, err
	}
	if kind != websocket.MessageBinary || len(body) == 0 {
		return 0, nil, model.Errorf(model.CodeInvalid, "a message without a type")
	}
	return frame(body[0]), body[1:], nil
}

func (c *frameConn) receiveMessage(ctx context.Context) (websocket.MessageType, []byte, error) {
	kind, r, err := c.ws.Reader(context.WithoutCancel(ctx))
	if err != nil {
		return 0, nil, err
	}
	c.in.Reset()
	_, err = c.in.ReadFrom(r)
	return kind, c.in.Bytes(), err
}

// frameWriter is an io.Writer whose bytes go out as messages of one kind.
type frameWriter struct {
	kind frame
	send func(kind frame, payload []byte) error
}

func (w frameWriter) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		chunk := p[written:min(len(p), written+maxChunk)]
		if err := w.send(w.kind, chunk); err != nil {
			return written, err
		}
		written += len(chunk)
	}
	return written, nil
}

// validSignal reports whether name can be a signal's: INT, USR1, RTMIN ...
func validSignal(name string) bool {
	return name != "" && len(name) <= maxSignal &&
		strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-") == ""
}
