package run

import (
	"context"
	"io"
	"os"
	"time"
)

// Output is the standard output of a command that is still running.
type Output struct {
	ctx    func() error // of the command
	cancel context.CancelFunc
	pipe   *os.File
	done   chan struct{} // closed when the command is gone
	err    *Error        // of the command; read after done
}

// Stream starts c and returns its standard output as it comes; Cmd.Stdout is
// not used. The caller must read it to the end to learn whether the command
// succeeded, and close it in any case.
func Stream(ctx context.Context, c Cmd) (*Output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, &Error{Argv: append([]string{c.Name}, c.Args...), ExitCode: -1, Err: err}
	}
	ctx, cancel := context.WithCancel(ctx)
	p, err := start(ctx, c, w)
	_ = w.Close() // the command has its own copy
	if err != nil {
		cancel()
		_ = r.Close()
		return nil, err
	}
	o := &Output{ctx: ctx.Err, cancel: cancel, pipe: r, done: make(chan struct{})}
	go o.supervise(ctx, p)
	return o, nil
}

// supervise waits for the command. When ctx ends it stops readers too, even
// if a process that left the command's group keeps the pipe open.
func (o *Output) supervise(ctx context.Context, p *process) {
	stop := context.AfterFunc(ctx, func() { _ = o.pipe.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, o.err = p.wait(ctx)
	close(o.done)
}

// Read reads the command's output. At its end it waits for the command and
// returns io.EOF when the command succeeded, else its *Error.
func (o *Output) Read(p []byte) (int, error) {
	n, err := o.pipe.Read(p)
	if err == nil {
		return n, nil
	}
	<-o.done
	if o.err != nil {
		return n, o.err
	}
	if ctxErr := o.ctx(); ctxErr != nil {
		return n, ctxErr
	}
	return n, err
}

// Close ends the command if it still runs, waits until it is gone and frees
// the pipe.
func (o *Output) Close() error {
	o.cancel()
	<-o.done
	return o.pipe.Close()
}

var _ io.ReadCloser = (*Output)(nil)
