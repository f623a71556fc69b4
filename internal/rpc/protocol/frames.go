package protocol

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

// Frame is the type of a message. A process in a VM has its standard input and
// output on a WebSocket. The client's first message is text: the parameters as
// JSON. All others are binary: one byte, the Frame, then the payload.
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
//	8     server  exit: the result as JSON, a process's is model.ExitStatus; the last message
//	9     server  error: model.Error as JSON; the last message
//	10    server  window: bytes of input that were taken, uint32, big-endian
//
// Input has a window, since a process that does not read must not hold up the
// signals behind its input: the client may have StdinWindow bytes on the way
// that no window message has confirmed. Output needs none: a client that does
// not read holds up the process, which is what a pipe does.
type Frame byte

// The types of messages.
const (
	FrameProgress Frame = iota
	FrameStarted
	FrameStdin
	FrameStdinEnd
	FrameStdout
	FrameStderr
	FrameResize
	FrameSignal
	FrameExit
	FrameError
	FrameWindow
)

// Bounds of a process's messages.
const (
	StdinWindow = 256 << 10 // bytes
	maxChunk    = 64 << 10  // bytes of input or output in one message
	maxSignal   = 16        // bytes of a signal's name
)

// FrameConn sends and receives messages on a WebSocket. Reads and writes do
// not watch a context of their own: to end them the connection is closed.
type FrameConn struct {
	ws  *websocket.Conn
	mu  sync.Mutex // of writing
	out []byte
	in  bytes.Buffer
}

// NewFrameConn returns a FrameConn on ws, which it owns from now on.
func NewFrameConn(ws *websocket.Conn) *FrameConn {
	ws.SetReadLimit(MaxBody)
	return &FrameConn{ws: ws}
}

// Send sends one message.
func (c *FrameConn) Send(ctx context.Context, kind Frame, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(append(c.out[:0], byte(kind)), payload...)
	return c.ws.Write(context.WithoutCancel(ctx), websocket.MessageBinary, c.out)
}

// SendJSON sends value as JSON.
func (c *FrameConn) SendJSON(ctx context.Context, kind Frame, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return model.Errorf(model.CodeInternal, "encoding a message: %w", err)
	}
	return c.Send(ctx, kind, payload)
}

// SendWindow tells the client how many bytes of its input were taken.
func (c *FrameConn) SendWindow(ctx context.Context, taken int) error {
	return c.Send(ctx, FrameWindow, binary.BigEndian.AppendUint32(nil, uint32(taken)))
}

// SendText sends the parameters, a client's first message.
func (c *FrameConn) SendText(ctx context.Context, params []byte) error {
	return c.ws.Write(context.WithoutCancel(ctx), websocket.MessageText, params)
}

// Close says good-bye and closes the connection.
func (c *FrameConn) Close() error { return c.ws.Close(websocket.StatusNormalClosure, "") }

// CloseNow ends the connection, and with it the reads and writes under way.
func (c *FrameConn) CloseNow() error { return c.ws.CloseNow() }

// Receive returns the next message; the payload is good until the next call.
func (c *FrameConn) Receive(ctx context.Context) (Frame, []byte, error) {
	kind, body, err := c.ReceiveMessage(ctx)
	if err != nil {
		return 0, nil, err
	}
	if kind != websocket.MessageBinary || len(body) == 0 {
		return 0, nil, model.Errorf(model.CodeInvalid, "a message without a type")
	}
	return Frame(body[0]), body[1:], nil
}

// ReceiveMessage returns the next message of either type; the body is good
// until the next call.
func (c *FrameConn) ReceiveMessage(ctx context.Context) (websocket.MessageType, []byte, error) {
	kind, r, err := c.ws.Reader(context.WithoutCancel(ctx))
	if err != nil {
		return 0, nil, err
	}
	c.in.Reset()
	_, err = c.in.ReadFrom(r)
	return kind, c.in.Bytes(), err
}

// FrameWriter is an io.Writer whose bytes go out as messages of one kind.
type FrameWriter struct {
	kind Frame
	send func(kind Frame, payload []byte) error
}

// NewFrameWriter returns a FrameWriter; send need not keep the payload.
func NewFrameWriter(kind Frame, send func(kind Frame, payload []byte) error) FrameWriter {
	return FrameWriter{kind, send}
}

// Write sends p in messages of a bounded length.
func (w FrameWriter) Write(p []byte) (int, error) {
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

// ValidSignal reports whether name can be a signal's: INT, USR1, RTMIN ...
func ValidSignal(name string) bool {
	return name != "" && len(name) <= maxSignal &&
		strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-") == ""
}
