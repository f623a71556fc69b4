package agent

import (
	"cmp"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"banger/internal/model"
	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// Times of a process's end.
const (
	drainTime  = 2 * time.Second // after its exit, for output that others hold open
	hangupTime = 5 * time.Second // between SIGHUP and SIGKILL when its host is gone
	killTime   = 2 * time.Second // after SIGKILL, until it is given up
)

// serveExec runs one process for the host on stream.
//
//	resolve  user, directory, program: not there or not allowed is exit 126, 127
//	start    with pipes, a terminal, or detached
//	pump     input, resizes and signals from the host; output to it
//	exit     reaped; output read to its end, or for drainTime while processes
//	         that it left behind keep it open; exit status to the host
//
// A host that goes away before ends the process group: SIGHUP, then SIGKILL.
func (s *Server) serveExec(stream net.Conn, req *wire.ExecRequest) error {
	if err := cmp.Or(s.ready(), req.Validate()); err != nil {
		_, err := stream.Write(wire.ErrorFrame(err))
		return err
	}
	p, code, err := s.start(req)
	if err != nil {
		_, err := stream.Write(wire.ExitFrame(notStarted(code, err)))
		return err
	}
	if req.Detach {
		_, err := stream.Write(wire.ExitFrame(model.ExitStatus{}))
		return err
	}
	return s.attend(stream, p)
}

// process is one that runs for a host.
type process struct {
	child *child
	stdio *stdio
}

// start starts what req asks for. On error code is its exit code.
func (s *Server) start(req *wire.ExecRequest) (process, int, error) {
	prog, code, err := resolve(req)
	if err != nil {
		return process{}, code, err
	}
	std, err := openStdio(req, s.opts.Console)
	if err != nil {
		return process{}, codeNotExecutable, err
	}
	defer std.closeChild()
	std.give(prog.who.uid)
	child, err := s.children.start(prog, std.fds(), s.sysAttr(prog.who, std.tty != nil))
	if err != nil {
		std.close()
		return process{}, exitCode(err), &os.PathError{Op: "exec", Path: prog.argv[0], Err: err}
	}
	return process{child, std}, 0, nil
}

// sysAttr makes the process the leader of a session, with the terminal as its
// own if there is one. An agent that is not root runs all as itself.
func (s *Server) sysAttr(who account, tty bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, Setctty: tty}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid, Groups: who.groups}
	}
	if s.opts.Prepare != nil {
		s.opts.Prepare(attr)
	}
	return attr
}

// attend moves bytes and frames between stream and p until p has ended or its
// host is gone.
func (s *Server) attend(stream net.Conn, p process) error {
	in := newInput(p.stdio)
	var pumps, all sync.WaitGroup
	for _, out := range p.stdio.outputs {
		pumps.Go(func() {
			buf := s.buffers.get()
			defer s.buffers.put(buf)
			out.send(stream, buf)
		})
	}
	if in.file != nil {
		all.Go(func() { in.feed(stream) })
	}
	drained := make(chan struct{})
	all.Go(func() { pumps.Wait(); close(drained) })
	lost := make(chan error, 1)
	all.Go(func() { lost <- s.obey(stream, p, in) })

	err := s.untilExit(stream, p, drained, lost)
	_ = stream.SetDeadline(time.Unix(1, 0)) // wakes all that wait for the host
	in.end()
	p.stdio.close()
	all.Wait()
	return err
}

// untilExit waits for the end of p and of its output, and tells the host.
func (s *Server) untilExit(stream net.Conn, p process, drained <-chan struct{}, lost <-chan error) error {
	select {
	case <-p.child.done:
	case err := <-lost:
		s.hangUp(p.child)
		return err
	}
	select {
	case <-drained: // the usual case; deadlines would wake other threads
	default:
		p.stdio.endReads(time.Now().Add(drainTime))
	}
	select {
	case <-drained:
		_, err := stream.Write(wire.ExitFrame(exitStatus(p.child.status)))
		return err
	case err := <-lost:
		return err
	}
}

// obey handles the host's frames until the stream ends. It does not wait for
// the process.
func (s *Server) obey(stream net.Conn, p process, in *input) error {
	frames := wire.NewFrameReader(stream, wire.FromHost)
	for {
		t, payload, err := frames.Next()
		if err != nil {
			return err
		}
		switch t {
		case wire.FrameStdin:
			if !in.push(payload) {
				return wire.ErrViolation
			}
		case wire.FrameStdinClose:
			in.finish()
		case wire.FrameResize:
			if p.stdio.tty != nil {
				resizePTY(p.stdio.tty, wire.ParseResize(payload))
			}
		case wire.FrameSignal:
			if sig := signalNumber(string(payload)); sig != 0 {
				s.children.signal(p.child, sig)
			}
		}
	}
}

// signalNumber reads a signal's name, with or without SIG, or its number; 0
// when there is none such.
func signalNumber(name string) unix.Signal {
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return unix.Signal(n)
	}
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	return unix.SignalNum(name)
}

// hangUp ends the group of a process whose host is gone.
func (s *Server) hangUp(ch *child) {
	s.hangups.Go(func() {
		s.children.doom(ch, unix.SIGHUP)
		s.children.signal(ch, unix.SIGCONT)
		if !await(ch.done, hangupTime) {
			s.children.signal(ch, unix.SIGKILL)
			await(ch.done, killTime)
		}
	})
}

// await tells whether done was closed within d.
func await(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// send sends what the process writes until it and all that inherited its
// output have closed it, or the read deadline passes; then what is left in
// the pipe is sent, and no more, so that nobody can hold up the exit.
func (o output) send(stream net.Conn, buf *wire.FrameBuffer) {
	for {
		n, err := o.file.Read(buf.Room())
		if n > 0 {
			if _, err := stream.Write(buf.Frame(o.frame, n)); err != nil {
				_ = o.file.Close() // the process gets SIGPIPE in place of an endless wait
				return
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.sendRest(stream, buf)
			return
		}
		if err != nil {
			return
		}
	}
}

// sendRest sends what the pipe holds now, at most its capacity.
func (o output) sendRest(stream net.Conn, buf *wire.FrameBuffer) {
	for left := pipeCapacity; left > 0; {
		n := 0
		withFD(o.file, func(fd int) { n, _ = unix.Read(fd, buf.Room()[:min(left, len(buf.Room()))]) })
		if n <= 0 {
			return
		}
		if _, err := stream.Write(buf.Frame(o.frame, n)); err != nil {
			return
		}
		left -= n
	}
}

// pipeCapacity is that of pipe(7), which is more than a terminal holds.
const pipeCapacity = 64 << 10
