package agent

import (
	"os"
	"time"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// stdio is the standard input and output of one process: what it is given,
// and the agent's ends of that.
type stdio struct {
	child   [3]*os.File
	stdin   *os.File // nil: the input is empty
	tty     *os.File // the terminal, which then is stdin and the output too
	outputs []output
}

// output is an end that a process writes to.
type output struct {
	file  *os.File
	frame wire.FrameType
}

// openStdio makes the ends that req asks for. Output of a detached process
// goes to console.
func openStdio(req *wire.ExecRequest, console string) (*stdio, error) {
	s := &stdio{}
	var err error
	switch {
	case req.Detach:
		err = s.openDetached(console)
	case req.TTY:
		err = s.openTerminal(req)
	default:
		err = s.openPipes(req)
	}
	if err != nil {
		s.closeChild()
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stdio) openDetached(console string) error {
	in, err := openNull()
	if err != nil {
		return err
	}
	s.child[0] = in
	out, err := os.OpenFile(console, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	s.child[1], s.child[2] = out, out
	return nil
}

func (s *stdio) openTerminal(req *wire.ExecRequest) error {
	master, slave, err := openPTY(req.Size)
	if err != nil {
		return err
	}
	s.child = [3]*os.File{slave, slave, slave}
	s.tty = master
	s.outputs = []output{{master, wire.FrameStdout}}
	if req.Stdin {
		s.stdin = master
	}
	return nil
}

func (s *stdio) openPipes(req *wire.ExecRequest) (err error) {
	if !req.Stdin {
		s.child[0], err = openNull()
	} else {
		s.child[0], s.stdin, err = openPipe(inputPipe)
	}
	if err != nil {
		return err
	}
	for i, t := range []wire.FrameType{wire.FrameStdout, wire.FrameStderr} {
		theirs, ours, err := openPipe(outputPipe)
		if err != nil {
			return err
		}
		s.child[i+1] = theirs
		s.outputs = append(s.outputs, output{ours, t})
	}
	return nil
}

// give makes uid the owner of what the process is given, so that it can open
// it again as /dev/stdout or /dev/tty.
func (s *stdio) give(uid uint32) {
	if s.outputs == nil || int(uid) == os.Geteuid() {
		return // a detached process, whose devices are everybody's; or they are its own
	}
	for i, f := range s.child {
		if i > 0 || s.stdin != nil {
			withFD(f, func(fd int) { _ = unix.Fchown(fd, int(uid), -1) })
		}
	}
}

// fds are the process's descriptors.
func (s *stdio) fds() []uintptr {
	fds := make([]uintptr, len(s.child))
	for i, f := range s.child {
		fds[i] = f.Fd() // makes the descriptor blocking, as programs expect
	}
	return fds
}

// endReads ends the reads of the output at limit.
func (s *stdio) endReads(limit time.Time) {
	for _, o := range s.outputs {
		_ = o.file.SetReadDeadline(limit)
	}
}

// closeChild closes the process's ends in this process.
func (s *stdio) closeChild() {
	for i, f := range s.child {
		if f != nil && (i == 0 || f != s.child[i-1]) {
			_ = f.Close()
		}
	}
}

// close closes the agent's ends; reads and writes of them end.
func (s *stdio) close() {
	for _, o := range s.outputs {
		_ = o.file.Close()
	}
	if s.stdin != nil {
		_ = s.stdin.Close() // a terminal a second time, which does nothing
	}
}

// The end of a pipe, as pipe(2) numbers them, that is a process's.
const (
	inputPipe  = 0
	outputPipe = 1
)

// openPipe opens a pipe of which the process gets the end theirs. Only the
// agent's end is in the runtime's poller: the process's would have to be taken
// out of it again, and made blocking, before it could be given away.
func openPipe(theirs int) (process, agent *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	process = os.NewFile(uintptr(p[theirs]), "|")
	if err := unix.SetNonblock(p[1-theirs], true); err != nil {
		_ = process.Close()
		_ = unix.Close(p[1-theirs])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return process, os.NewFile(uintptr(p[1-theirs]), "|"), nil
}

// openNull opens the empty input, past the poller too.
func openNull() (*os.File, error) {
	fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	return os.NewFile(uintptr(fd), os.DevNull), nil
}
