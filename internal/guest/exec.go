package guest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/wire"
)

// Stdio is where a process's bytes come from and go to. Stdin nil is an empty
// input; with a terminal all output is on Stdout. Resize and Signals may be
// nil and may be closed.
type Stdio struct {
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Resize  <-chan model.WinSize
	Signals <-chan string
}

// killTime bounds the wait for a process that was told to die because its
// caller has gone.
const killTime = 2 * time.Second

// Exec runs a process and returns how it ended. When ctx ends the process
// group is killed and ctx's cause returned. A reader in Stdin that blocks is
// left behind in its Read: the caller owns it.
func (c *Client) Exec(ctx context.Context, req wire.ExecRequest, stdio Stdio) (model.ExitStatus, error) {
	// The stream must outlive ctx by the frame that kills the process.
	stream, stop, err := c.open(context.WithoutCancel(ctx), wire.Header{Kind: wire.KindExec, Exec: &req})
	if err != nil {
		return model.ExitStatus{}, err
	}
	defer stop()
	frames := wire.NewFrameWriter(stream)
	unwatch := context.AfterFunc(ctx, func() {
		_ = stream.SetDeadline(time.Now().Add(killTime))
		_ = frames.Write(wire.FrameSignal, []byte("KILL"))
	})
	defer unwatch()

	done := make(chan struct{})
	defer close(done)
	window := newWindow()
	defer window.close()
	switch {
	case req.Stdin && stdio.Stdin != nil:
		go sendStdin(frames, stdio.Stdin, window)
	case req.Stdin:
		_ = frames.Write(wire.FrameStdinClose, nil)
	}
	go sendEvents(frames, stdio, done)

	status, err := receive(bufio.NewReaderSize(stream, wire.MaxFrame), stdio, window)
	if ctx.Err() != nil {
		return model.ExitStatus{}, context.Cause(ctx)
	}
	if err != nil {
		return model.ExitStatus{}, c.explain(ctx, err)
	}
	return status, nil
}

// sendStdin copies input until it, the process or the call ends. It sends no
// more than the guest has room for.
func sendStdin(frames *wire.FrameWriter, stdin io.Reader, window *window) {
	buf := make([]byte, 32<<10)
	for {
		n, err := stdin.Read(buf)
		if n > 0 && (!window.take(n) || frames.Write(wire.FrameStdin, buf[:n]) != nil) {
			return
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = frames.Write(wire.FrameStdinClose, nil)
			}
			return
		}
	}
}

// window counts the input that the guest has room for.
type window struct {
	mu     sync.Mutex
	more   sync.Cond
	left   int
	closed bool
}

func newWindow() *window {
	w := &window{left: wire.StdinWindow}
	w.more.L = &w.mu
	return w
}

// take waits for room for n bytes; false: the call has ended.
func (w *window) take(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.left < n && !w.closed {
		w.more.Wait()
	}
	w.left -= n
	return !w.closed
}

// give returns room that a guest has acknowledged.
func (w *window) give(payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(payload) != 4 {
		return fmt.Errorf("%w: an input acknowledgement of %d bytes", wire.ErrProtocol, len(payload))
	}
	n := binary.BigEndian.Uint32(payload)
	if uint64(n)+uint64(w.left) > wire.StdinWindow {
		return fmt.Errorf("%w: more input acknowledged than was sent", wire.ErrProtocol)
	}
	w.left += int(n)
	w.more.Broadcast()
	return nil
}

func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.more.Broadcast()
}

// sendEvents passes on signals and sizes of the terminal.
func sendEvents(frames *wire.FrameWriter, stdio Stdio, done <-chan struct{}) {
	resize, signals := stdio.Resize, stdio.Signals
	for resize != nil || signals != nil {
		var err error
		select {
		case <-done:
			return
		case size, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			err = frames.WriteJSON(wire.FrameResize, size)
		case sig, ok := <-signals:
			if !ok {
				signals = nil
				continue
			}
			err = frames.Write(wire.FrameSignal, []byte(sig))
		}
		if err != nil {
			return
		}
	}
}

// errOutput: the caller's writer failed, not the guest.
var errOutput = errors.New("writing output")

// receive passes output on until the process has ended.
func receive(r io.Reader, stdio Stdio, window *window) (model.ExitStatus, error) {
	frames := wire.NewFrameReader(r)
	for {
		t, payload, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return model.ExitStatus{}, io.ErrUnexpectedEOF
		}
		if err != nil {
			return model.ExitStatus{}, err
		}
		switch t {
		case wire.FrameStdout:
			err = output(stdio.Stdout, payload)
		case wire.FrameStderr:
			err = output(stdio.Stderr, payload)
		case wire.FrameStarted:
		case wire.FrameStdinAck:
			err = window.give(payload)
		case wire.FrameExit:
			return exitStatus(payload)
		default:
			err = fmt.Errorf("%w: frame type %d", wire.ErrProtocol, t)
		}
		if err != nil {
			return model.ExitStatus{}, err
		}
	}
}

func output(w io.Writer, p []byte) error {
	if w == nil {
		return nil
	}
	if _, err := w.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

// exitStatus decodes and bounds what a guest says of a process's end.
func exitStatus(payload []byte) (model.ExitStatus, error) {
	var s model.ExitStatus
	if err := wire.DecodeFrame(payload, &s); err != nil {
		return s, err
	}
	if s.Code < 0 || s.Code > 255 {
		return s, fmt.Errorf("%w: exit code %d", wire.ErrProtocol, s.Code)
	}
	s.Err = cut(s.Err)
	s.Signal = cut(s.Signal)
	return s, nil
}
