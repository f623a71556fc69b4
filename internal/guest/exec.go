package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"banger/internal/model"
	"banger/internal/wire"
)

// lingerTimeout bounds how long Exec waits, after ctx ended, for a write to
// the caller's Stdout or Stderr that does not return.
const lingerTimeout = 5 * time.Second

// Stdio is the host's side of a process. Stdin nil is an empty input; nil
// writers drop what they are given. With a terminal all output is on Stdout.
// Resize and Signals may be nil and may be closed.
//
// A Stdin with a SetReadDeadline method (net.Conn, os.File of a pipe or
// terminal) is woken when the process ends, and its deadline cleared. Any
// other is left in its last Read until that returns; what it read is lost.
type Stdio struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Resize         <-chan model.WinSize
	Signals        <-chan string // INT, SIGTERM, ...
}

// Exec runs a process in the guest and returns how it ended. A process that
// could not be started has the code 126 or 127 and Err set. When ctx ends the
// process group is killed and ctx's error returned; when writing its output
// fails, the group is killed and that error returned. With Detach it returns
// as soon as the process runs.
//
//	check  the request; a free place among wire.MaxExecs
//	open   a stream, the request in it
//	pump   stdin within the agent's credit; resizes and signals; output
//	end    exit status, or kill and leave
func (c *Client) Exec(ctx context.Context, req wire.ExecRequest, stdio Stdio) (model.ExitStatus, error) {
	if err := req.Validate(); err != nil {
		return model.ExitStatus{}, err
	}
	select {
	case c.execs <- struct{}{}:
		defer func() { <-c.execs }()
	default:
		return model.ExitStatus{}, model.Errorf(model.CodeLimit, "%d processes are attached to this guest already", wire.MaxExecs)
	}
	stream, err := c.session.Open(ctx, &wire.Open{Kind: wire.KindExec, Exec: &req})
	if err != nil {
		return model.ExitStatus{}, c.explain(ctx, err)
	}
	p := &process{stream: stream, stdio: stdio, credit: newCredit(wire.StdinWindow), done: make(chan struct{})}
	status, err := p.run(ctx, req.Stdin && !req.Detach)
	if errors.Is(err, errLink) || errors.Is(err, wire.ErrViolation) {
		err = c.explain(ctx, err)
	}
	return status, err
}

// Causes for which an exec stream ends early.
var (
	errLink   = errors.New("reading from the guest")
	errOutput = errors.New("writing the process's output") // the caller's own writer
)

// process is the host's side of one exec stream.
type process struct {
	stream net.Conn
	stdio  Stdio
	credit *credit
	done   chan struct{} // closed when the pumps are to end
}

// result is how a process ended.
type result struct {
	status model.ExitStatus
	err    error
}

// run pumps until the process or ctx ends.
func (p *process) run(ctx context.Context, stdin bool) (model.ExitStatus, error) {
	killed := false
	defer func() { go p.leave(killed) }()
	defer close(p.done)
	if stdin {
		defer p.startStdin()()
	}
	go p.forward()
	ended := make(chan result, 1)
	go func() {
		status, err := p.receive()
		ended <- result{status, err}
	}()
	select {
	case r := <-ended:
		killed = errors.Is(r.err, errOutput)
		return r.status, r.err
	case <-ctx.Done():
		killed = true
		_ = p.stream.SetReadDeadline(time.Unix(1, 0))
		await(ended, lingerTimeout) // for the last write to the caller's writers
		return model.ExitStatus{}, ctx.Err()
	}
}

// leave ends the stream, and the process group with it when kill is set. It
// may take as long as the link needs.
func (p *process) leave(kill bool) {
	if kill {
		_, _ = p.stream.Write(wire.SignalFrame("KILL"))
	}
	_ = p.stream.Close()
}

// await waits for ch, but no longer than limit.
func await[T any](ch <-chan T, limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-ch:
	case <-t.C:
	}
}

// receive handles the agent's frames until the exit.
func (p *process) receive() (model.ExitStatus, error) {
	frames := wire.NewFrameReader(p.stream, wire.FromAgent)
	for {
		t, payload, err := frames.Next()
		if err != nil {
			return model.ExitStatus{}, fmt.Errorf("%w: %w", errLink, err)
		}
		switch t {
		case wire.FrameStdout:
			err = deliver(p.stdio.Stdout, payload)
		case wire.FrameStderr:
			err = deliver(p.stdio.Stderr, payload)
		case wire.FrameCredit:
			err = p.refill(payload)
		case wire.FrameExit:
			return wire.ParseExit(payload)
		case wire.FrameError:
			fault, err := wire.ParseError(payload)
			if err != nil {
				return model.ExitStatus{}, err
			}
			return model.ExitStatus{}, fault.Err()
		}
		if err != nil {
			return model.ExitStatus{}, err
		}
	}
}

func deliver(w io.Writer, b []byte) error {
	if w == nil {
		return nil
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

func (p *process) refill(payload []byte) error {
	n, err := wire.ParseCredit(payload)
	if err != nil {
		return err
	}
	if !p.credit.add(n) {
		return fmt.Errorf("%w: credit beyond the window", wire.ErrViolation)
	}
	return nil
}

// forward passes resizes and signals on. The agent always reads, so these
// writes do not wait for the process.
func (p *process) forward() {
	resize, signals := p.stdio.Resize, p.stdio.Signals
	for {
		var frame []byte
		select {
		case <-p.done:
			return
		case size, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			frame = wire.ResizeFrame(size)
		case name, ok := <-signals:
			if !ok {
				signals = nil
				continue
			}
			if name == "" || len(name) > wire.MaxSignal {
				continue // no such signal
			}
			frame = wire.SignalFrame(name)
		}
		if _, err := p.stream.Write(frame); err != nil {
			return
		}
	}
}
