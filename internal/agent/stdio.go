package agent

import (
	"errors"
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/wire"
)

// stdio is a process's standard files: the child's ends and ours.
type stdio struct {
	tty            bool
	childIn        *os.File
	childOut       *os.File
	childErr       *os.File
	stdin          *os.File // ours; nil without input
	stdout, stderr *os.File // ours; stderr nil with a terminal, both when detached
}

// openStdio makes the files that a request asks for.
func (s *Server) openStdio(req wire.ExecRequest, cmd command) (*stdio, error) {
	switch {
	case req.Detach:
		return openDetached(s.opt.ConsolePath)
	case req.TTY:
		return openTTY(req, cmd)
	default:
		return openPipes(req.Stdin)
	}
}

func openDetached(console string) (*stdio, error) {
	in, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(console, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		_ = in.Close()
		return nil, err
	}
	return &stdio{childIn: in, childOut: out, childErr: out}, nil
}

// openTTY makes a pseudoterminal that belongs to the user.
func openTTY(req wire.ExecRequest, cmd command) (*stdio, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("opening a terminal: %w", err)
	}
	const ttyGroup = 5 // Debian's and most others' group tty
	if os.Getuid() == 0 {
		err = errors.Join(slave.Chown(int(cmd.who.uid), ttyGroup), slave.Chmod(0o620))
	}
	f := &stdio{tty: true, childIn: slave, childOut: slave, childErr: slave, stdout: master}
	if err == nil {
		f.stdin, err = dup(master)
	}
	if err != nil {
		f.closeAll()
		return nil, fmt.Errorf("opening a terminal: %w", err)
	}
	if req.Size != nil {
		f.resize(*req.Size)
	}
	return f, nil
}

func openPipes(withInput bool) (*stdio, error) {
	f := &stdio{}
	var err error
	if withInput {
		f.childIn, f.stdin, err = os.Pipe()
	} else {
		f.childIn, err = os.Open(os.DevNull)
	}
	if err == nil {
		f.stdout, f.childOut, err = os.Pipe()
	}
	if err == nil {
		f.stderr, f.childErr, err = os.Pipe()
	}
	if err != nil {
		f.closeAll()
		return nil, fmt.Errorf("making pipes: %w", err)
	}
	return f, nil
}

// child returns the descriptors that the process gets as 0, 1 and 2.
func (f *stdio) child() []uintptr {
	return []uintptr{f.childIn.Fd(), f.childOut.Fd(), f.childErr.Fd()}
}

// outputs returns what is read from the process.
func (f *stdio) outputs() map[wire.FrameType]*os.File {
	out := map[wire.FrameType]*os.File{wire.FrameStdout: f.stdout}
	if f.stderr != nil {
		out[wire.FrameStderr] = f.stderr
	}
	return out
}

func (f *stdio) resize(size model.WinSize) {
	if f.tty {
		_ = pty.Setsize(f.stdout, &pty.Winsize{Rows: size.Rows, Cols: size.Cols})
	}
}

func (f *stdio) closeChildEnds() { closeFiles(f.childIn, f.childOut, f.childErr) }

func (f *stdio) closeAll() {
	f.closeChildEnds()
	closeFiles(f.stdin, f.stdout, f.stderr)
}

// dup returns another descriptor of the same open file.
func dup(f *os.File) (*os.File, error) {
	var fd int
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var dupErr error
	err = conn.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// closeFiles may be called again: closing twice is harmless.
func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
