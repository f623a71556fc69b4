package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// Process is a process that cannot be mistaken for another. Its methods may
// be called from several goroutines.
type Process struct {
	id model.ProcessID
	fd *os.File
}

// Open finds the process id. ErrGone: it has ended, whatever now has its
// number; a zombie has ended too, and is reaped if it is the caller's child.
// Any other error: nothing is known.
func Open(id model.ProcessID) (*Process, error) {
	if id.PID <= 0 || id.BootID == "" || id.Start == 0 {
		return nil, fmt.Errorf("opening process %d: its identity is incomplete", id.PID)
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	if boot != id.BootID {
		return nil, fmt.Errorf("process %d of an earlier boot: %w", id.PID, ErrGone)
	}
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) || isOfThread(err, id.PID) {
		return nil, fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", id.PID, err)
	}
	p := &Process{id: id, fd: os.NewFile(uintptr(fd), "pidfd")}
	if err := p.verify(); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// isOfThread tells from pidfd_open's error whether a thread of another process
// has the number now: ENOENT says so (Linux 6.16, kernel/fork.c), EINVAL may
// (before it, and for a flag that is not known).
func isOfThread(err error, pid int) bool {
	switch {
	case errors.Is(err, unix.ENOENT):
		return true
	case !errors.Is(err, unix.EINVAL):
		return false
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	_, after, found := strings.Cut(string(status), "\nTgid:")
	leader, _, _ := strings.Cut(after, "\n")
	return found && strings.TrimSpace(leader) != strconv.Itoa(pid)
}

// verify checks the identity after the descriptor was opened: the process of
// this identity was there before, so if its number still is its own, the
// descriptor cannot refer to another.
func (p *Process) verify() error {
	start, err := startTime(p.id.PID)
	if err != nil {
		return err
	}
	if start != p.id.Start {
		return fmt.Errorf("process %d is another one now: %w", p.id.PID, ErrGone)
	}
	if p.Ended() {
		p.reap()
		return fmt.Errorf("process %d: %w", p.id.PID, ErrGone)
	}
	return nil
}

// ID returns the identity.
func (p *Process) ID() model.ProcessID { return p.id }

// Signal sends sig. ErrGone: the process has ended.
func (p *Process) Signal(sig unix.Signal) error {
	err := p.control(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signalling process %d: %w", p.id.PID, ErrGone)
	}
	if err != nil {
		return fmt.Errorf("signalling process %d: %w", p.id.PID, err)
	}
	return nil
}

// control lends the descriptor to fn. It cannot be closed meanwhile: a number
// that is free may be another process's the next moment.
func (p *Process) control(fn func(fd int) error) error {
	conn, err := p.fd.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = fn(int(fd)) }); err != nil {
		return err
	}
	return result
}

// Wait returns when the process has ended, with its status if it was the
// caller's child; it is reaped then. Nothing wakes up in between.
func (p *Process) Wait(ctx context.Context) (Status, error) {
	// A descriptor of its own, so that waiters and deadlines don't meet.
	fd := -1
	err := p.control(func(own int) (err error) {
		fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return Status{}, fmt.Errorf("waiting for process %d: %w", p.id.PID, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return Status{}, fmt.Errorf("waiting for process %d: %w", p.id.PID, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.Read(ended); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Status{}, fmt.Errorf("waiting for process %d: %w", p.id.PID, err)
	}
	return p.reap(), nil
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	gone := false
	err := p.control(func(fd int) error {
		gone = ended(uintptr(fd))
		return nil
	})
	return err == nil && gone
}

// Close frees the descriptor; the process is left alone.
func (p *Process) Close() error { return p.fd.Close() }

// ended reports whether the process behind a pidfd has ended: it is readable
// then.
func ended(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}
