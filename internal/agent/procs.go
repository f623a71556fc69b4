package agent

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Procs starts processes and learns how they ended. As PID 1 it reaps every
// child, since orphans become its own, so no other code of the agent may wait
// for a child: each end is seen once, here, and passed on.
type Procs struct {
	reapAll bool

	mu    sync.Mutex
	waits map[int]chan syscall.WaitStatus
}

// NewProcs returns a Procs. reapAll is for PID 1; otherwise only processes
// that were started here are waited for.
func NewProcs(reapAll bool) *Procs {
	p := &Procs{reapAll: reapAll, waits: map[int]chan syscall.WaitStatus{}}
	if reapAll {
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, unix.SIGCHLD)
		go func() {
			for range ended {
				p.reap()
			}
		}()
	}
	return p
}

// Start starts a process; its end comes on the channel. The lock is held from
// the fork to the entry in the table, so that an end that comes at once still
// finds its entry.
func (p *Procs) Start(path string, argv []string, attr *syscall.ProcAttr) (pid int, end <-chan syscall.WaitStatus, err error) {
	ch := make(chan syscall.WaitStatus, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	pid, err = syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	if p.reapAll {
		p.waits[pid] = ch
		return pid, ch, nil
	}
	go func() {
		var status syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
				break
			}
		}
		ch <- status
	}()
	return pid, ch, nil
}

// reap collects all children that have ended.
func (p *Procs) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		p.mu.Lock()
		ch := p.waits[pid]
		delete(p.waits, pid)
		p.mu.Unlock()
		if ch != nil {
			ch <- status
		}
	}
}
