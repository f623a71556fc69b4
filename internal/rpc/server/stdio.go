package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/coder/websocket"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/rpc/protocol"
)

// stdioTimeout bounds the first message, and how long a client whose call has
// been canceled may hold up the last one.
const stdioTimeout = 10 * time.Second

var errClientGone = errors.New("the client has gone away")

// socket is an operation with standard input and output. wantsStdin tells
// whether the parameters ask for input.
func socket[P, R any](verb, method, summary string,
	fn func(context.Context, P, rpc.Stdio, model.Report) (R, error), wantsStdin func(P) bool) route {
	return route{verb, method, summary, kindSocket, reflect.TypeFor[P](), reflect.TypeFor[R](),
		func(s *Server, w http.ResponseWriter, r *http.Request) {
			s.sockets.Add(1)
			defer s.sockets.Done()
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return // Accept has answered
			}
			defer func() { _ = ws.CloseNow() }()
			serveStdio(r.Context(), s, r.URL.Path, protocol.NewFrameConn(ws), fn, wantsStdin)
		}}
}

// upload is an operation that reads a stream of the client's.
func upload[P, R any](verb, method, summary string, fn func(context.Context, P, io.Reader, model.Report) (R, error)) route {
	return socket(verb, method, summary, func(ctx context.Context, p P, stdio rpc.Stdio, report model.Report) (R, error) {
		return fn(ctx, p, stdio.Stdin, report)
	}, func(P) bool { return true })
}

// serveStdio runs one process: parameters, frames both ways, exit status.
func serveStdio[P, R any](ctx context.Context, s *Server, path string, conn *protocol.FrameConn,
	fn func(context.Context, P, rpc.Stdio, model.Report) (R, error), wantsStdin func(P) bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	params, err := firstMessage[P](ctx, s, conn)
	if err != nil {
		finish(ctx, conn, nil, err)
		return
	}
	p := newServedProcess(ctx, conn, wantsStdin(params))
	var reading sync.WaitGroup
	reading.Go(func() { p.read(ctx, cancel) })
	// A canceled call still sends its last messages, but a client that does
	// not take them is left.
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(stdioTimeout, func() { _ = conn.CloseNow() })
	})()
	result, err := guarded(ctx, s.log, path, func(ctx context.Context) (R, error) {
		return fn(ctx, params, p.stdio(ctx), func(progress model.Progress) { _ = conn.SendJSON(ctx, protocol.FrameProgress, progress) })
	})
	var broken *model.Error
	if cause := context.Cause(ctx); errors.As(cause, &broken) {
		err = broken // the client broke the protocol
	}
	finish(ctx, conn, result, err)
	p.stdin.end(io.ErrClosedPipe)
	reading.Wait()
}

func firstMessage[P any](ctx context.Context, s *Server, conn *protocol.FrameConn) (P, error) {
	late := time.AfterFunc(stdioTimeout, func() { _ = conn.CloseNow() })
	defer late.Stop()
	kind, body, err := conn.ReceiveMessage(ctx)
	if err != nil || kind != websocket.MessageText {
		var params P
		return params, model.Errorf(model.CodeInvalid, "the first message is not the parameters as JSON text")
	}
	return decode[P](s.schemas, body)
}

// finish sends the last message and closes the connection.
func finish(ctx context.Context, conn *protocol.FrameConn, result any, err error) {
	if err != nil {
		err = conn.SendJSON(ctx, protocol.FrameError, protocol.WireError(err))
	} else {
		err = conn.SendJSON(ctx, protocol.FrameExit, result)
	}
	if err != nil {
		_ = conn.CloseNow()
		return
	}
	_ = conn.Close()
}

// servedProcess is the server's side of one process.
type servedProcess struct {
	conn    *protocol.FrameConn
	wanted  bool // input is
	stdin   *stdinBuffer
	resize  chan model.WinSize // capacity 1: the newest size
	signals chan string
}

func newServedProcess(ctx context.Context, conn *protocol.FrameConn, wanted bool) *servedProcess {
	const signalsWaiting = 16
	return &servedProcess{
		conn:    conn,
		wanted:  wanted,
		stdin:   newStdinBuffer(func(n int) { _ = conn.SendWindow(ctx, n) }),
		resize:  make(chan model.WinSize, 1),
		signals: make(chan string, signalsWaiting),
	}
}

// stdio is what the rpc.API is given.
func (p *servedProcess) stdio(ctx context.Context) rpc.Stdio {
	send := func(kind protocol.Frame, payload []byte) error { return p.conn.Send(ctx, kind, payload) }
	given := rpc.Stdio{
		Stdout:  protocol.NewFrameWriter(protocol.FrameStdout, send),
		Stderr:  protocol.NewFrameWriter(protocol.FrameStderr, send),
		Resize:  p.resize,
		Signals: p.signals,
		Started: func(vm model.VM) { _ = p.conn.SendJSON(ctx, protocol.FrameStarted, vm) },
	}
	if p.wanted {
		given.Stdin = p.stdin
	}
	return given
}

// read takes the client's messages until the connection ends, which cancels
// the call.
func (p *servedProcess) read(ctx context.Context, cancel context.CancelCauseFunc) {
	defer p.stdin.end(io.ErrUnexpectedEOF)
	for {
		kind, payload, err := p.conn.Receive(ctx)
		if err == nil {
			err = p.take(kind, payload)
		}
		var broken *model.Error
		switch {
		case errors.As(err, &broken):
			cancel(broken)
			return
		case err != nil:
			cancel(errClientGone)
			return
		}
	}
}

// take handles one message. It never blocks.
func (p *servedProcess) take(kind protocol.Frame, payload []byte) error {
	switch kind {
	case protocol.FrameStdin:
		if !p.wanted {
			return model.Errorf(model.CodeInvalid, "input was sent and not asked for")
		}
		return p.stdin.put(payload)
	case protocol.FrameStdinEnd:
		p.stdin.end(io.EOF)
		return nil
	case protocol.FrameResize:
		return p.takeResize(payload)
	case protocol.FrameSignal:
		return p.takeSignal(string(payload))
	}
	return model.Errorf(model.CodeInvalid, "a message of type %d", kind)
}

func (p *servedProcess) takeResize(payload []byte) error {
	var size model.WinSize
	if err := json.Unmarshal(payload, &size); err != nil {
		return model.Errorf(model.CodeInvalid, "reading a resize message: %w", err)
	}
	select { // only the newest counts; this goroutine is the only one that puts
	case <-p.resize:
	default:
	}
	p.resize <- size
	return nil
}

// takeSignal passes on a signal; one of too many that wait is lost, as the
// kernel's are.
func (p *servedProcess) takeSignal(name string) error {
	if !protocol.ValidSignal(name) {
		return model.Errorf(model.CodeInvalid, "%.16q is no signal", name)
	}
	select {
	case p.signals <- name:
	default:
	}
	return nil
}
