package proc

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Status is how a process ended, if that could be learnt.
type Status struct {
	Known  bool        // only a parent learns it
	Code   int         // exit code; 0 after a signal
	Signal unix.Signal // what ended it; 0: it ended by itself
}

// childInfo is siginfo_t as waitid(2) fills it (SIGCHLD).
type childInfo struct {
	signo, errno, code int32
	_                  int32
	pid                int32
	uid                uint32
	status             int32
	_                  [100]byte
}

// reap collects the status of a child that has ended. For a process that is
// not the caller's child nothing happens.
func (p *Process) reap() Status {
	var info childInfo
	err := p.control(func(fd int) error {
		return unix.Waitid(unix.P_PIDFD, fd, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG, nil)
	})
	if err != nil || info.pid == 0 {
		return Status{}
	}
	const cldExited = 1 // CLD_EXITED
	if info.code == cldExited {
		return Status{Known: true, Code: int(info.status)}
	}
	return Status{Known: true, Signal: unix.Signal(info.status)}
}
