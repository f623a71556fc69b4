package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/wire"
)

const (
	// drainQuiet is how long the output of a process that has ended may be
	// silent before it is given up: a child of it may hold it open for ever.
	drainQuiet = 300 * time.Millisecond
	// hangUpGrace is what a process has between SIGHUP and SIGKILL when its
	// caller has gone.
	hangUpGrace = 2 * time.Second
)

// exec runs one process for a stream.
//
//	1 resolve  user, working directory, environment, program
//	2 start    with pipes or a terminal
//	3 copy     input, signals and sizes in; output out
//	4 end      the rest of the output, then the exit status
//
// When the caller closes the stream, the process group is hung up. When the
// whole link ends, the host's daemon has gone: a process with a terminal is
// hung up, any other goes on with its output thrown away.
func (s *Server) exec(session *wire.Session, stream *wire.Stream, req wire.ExecRequest) error {
	frames := wire.NewFrameWriter(stream)
	cmd, err := resolve(req) // 1
	if err != nil {
		return refuse(frames, err)
	}
	files, err := s.openStdio(req, cmd)
	if err != nil {
		return refuse(frames, err)
	}
	pid, end, err := s.start(cmd, files) // 2
	files.closeChildEnds()
	if err != nil {
		files.closeAll()
		return refuse(frames, launchError(cmd, err))
	}
	if req.Detach {
		files.closeAll()
		return frames.WriteJSON(wire.FrameExit, model.ExitStatus{})
	}
	_ = frames.Write(wire.FrameStarted, nil)
	p := &process{pid: pid, files: files, buffers: &s.buffers}
	outputs := p.copyOutput(frames)
	go p.serveHost(session, stream, frames, req.TTY) // 3
	status := <-end
	p.ended.Store(true)
	p.drain(outputs) // 4
	files.closeAll()
	return frames.WriteJSON(wire.FrameExit, exitStatus(status))
}

func refuse(frames *wire.FrameWriter, err error) error {
	code := exitNotExecutable
	var start *startError
	if errors.As(err, &start) {
		code = start.code
	}
	return frames.WriteJSON(wire.FrameExit, model.ExitStatus{Code: code, Err: err.Error()})
}

// start forks. The process leads a session of its own, so that its whole
// group can be signalled.
func (s *Server) start(cmd command, files *stdio) (int, <-chan syscall.WaitStatus, error) {
	attr := &syscall.ProcAttr{
		Dir: cmd.dir, Env: cmd.env, Files: files.child(),
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: files.tty, Ctty: 0},
	}
	if os.Getuid() == 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: cmd.who.uid, Gid: cmd.who.gid, Groups: cmd.who.groups}
	}
	return s.opt.Procs.Start(cmd.path, cmd.argv, attr)
}

// process is a running process and our ends of its files.
type process struct {
	pid     int
	files   *stdio
	buffers *buffers
	ended   atomic.Bool
	active  atomic.Int64 // bytes of output seen
}

// copyOutput turns output into frames; the channel is closed at its end.
func (p *process) copyOutput(frames *wire.FrameWriter) <-chan struct{} {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for t, f := range p.files.outputs() {
		wg.Go(func() { p.copyOne(frames.Stream(t), f) })
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	return done
}

// copyOne copies until the end of f. When the host has gone it reads on, so
// that the process is not stopped by a full pipe.
func (p *process) copyOne(w io.Writer, f *os.File) {
	buf := p.buffers.get()
	defer p.buffers.put(buf)
	for {
		n, err := f.Read(buf)
		p.active.Add(int64(n))
		if n > 0 && w != nil {
			if _, werr := w.Write(buf[:n]); werr != nil {
				w = nil
			}
		}
		if err != nil {
			return // EOF; EIO when the last holder of a terminal has closed it
		}
	}
}

// drain waits for the rest of the output of a process that has ended.
func (p *process) drain(outputs <-chan struct{}) {
	for {
		seen := p.active.Load()
		select {
		case <-outputs:
			return
		case <-time.After(drainQuiet):
			if p.active.Load() == seen {
				return
			}
		}
	}
}

// serveHost takes the host's frames until the stream ends.
func (p *process) serveHost(session *wire.Session, stream *wire.Stream, acks *wire.FrameWriter, tty bool) {
	frames := wire.NewFrameReader(bufio.NewReader(stream))
	stdin := newInput(p.files.stdin, acks)
	defer stdin.close()
	for {
		t, payload, err := frames.Next()
		if err != nil {
			if !p.ended.Load() && (tty || !session.IsClosed()) {
				p.hangUp()
			}
			return
		}
		if err := p.serveFrame(stdin, t, payload); err != nil {
			_ = session.Close()
			return
		}
	}
}

func (p *process) serveFrame(stdin *input, t wire.FrameType, payload []byte) error {
	switch t {
	case wire.FrameStdin:
		return stdin.write(payload)
	case wire.FrameStdinClose:
		stdin.close()
	case wire.FrameSignal:
		p.signal(string(payload))
	case wire.FrameResize:
		var size model.WinSize
		if err := wire.DecodeFrame(payload, &size); err != nil {
			return err
		}
		p.files.resize(size)
	default:
		return fmt.Errorf("%w: frame type %d", wire.ErrProtocol, t)
	}
	return nil
}

// signal sends a signal by name to the process group; names that this kernel
// does not know are ignored.
func (p *process) signal(name string) {
	if sig := unix.SignalNum("SIG" + name); sig != 0 && !p.ended.Load() {
		_ = unix.Kill(-p.pid, sig)
	}
}

func (p *process) hangUp() {
	p.signal("HUP")
	p.signal("CONT") // a stopped process must see it
	deadline := time.Now().Add(hangUpGrace)
	for !p.ended.Load() && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	p.signal("KILL")
}

// exitStatus is what a shell would make of a status.
func exitStatus(s syscall.WaitStatus) model.ExitStatus {
	if s.Signaled() {
		return model.ExitStatus{Code: 128 + int(s.Signal()), Signal: unix.SignalName(s.Signal())}
	}
	return model.ExitStatus{Code: s.ExitStatus()}
}
