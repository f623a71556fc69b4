package agent

import (
	"os"

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
	in, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
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
		s.child[0], err = os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	} else {
		s.child[0], s.stdin, err = os.Pipe()
	}
	if err != nil {
		return err
	}
	for i, t := range []wire.FrameType{wire.FrameStdout, wire.FrameStderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		s.child[i+1] = w
		s.outputs = append(s.outputs, output{r, t})
	}
	return nil
}

// give makes uid the owner of what the process is given, so that it can open
// it again as /dev/stdout or /dev/tty.
func (s *stdio) give(uid uint32) {
	if s.outputs == nil {
		return // a detached process: these devices are everybody's
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
