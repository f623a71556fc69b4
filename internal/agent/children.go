package agent

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// children starts processes and is the only one to wait for them. As init it
// reaps orphans as well; otherwise it leaves alone all that it did not start.
//
// A child is reaped under mu, and while it is not, its pid and process group
// are its own: signals are sent under mu too, so they never hit a stranger.
type children struct {
	init bool
	wake chan os.Signal
	quit chan struct{}
	gone chan struct{} // the reaper has ended

	mu       sync.Mutex
	owned    map[int]*child
	starting int                     // forks whose pid is not in owned yet
	early    map[int]unix.WaitStatus // reaped while starting > 0, owner unknown
}

// child is one process, leader of its own session and process group.
type child struct {
	pid    int
	tty    bool          // it has a terminal of its own
	done   chan struct{} // closed when it was reaped
	status unix.WaitStatus
	doomed bool // its group is killed with it
}

// newChildren starts reaping.
func newChildren(init bool) *children {
	c := &children{
		init:  init,
		wake:  make(chan os.Signal, 1),
		quit:  make(chan struct{}),
		gone:  make(chan struct{}),
		owned: map[int]*child{},
		early: map[int]unix.WaitStatus{},
	}
	signal.Notify(c.wake, unix.SIGCHLD)
	go c.reap()
	return c
}

// stop ends reaping.
func (c *children) stop() {
	signal.Stop(c.wake)
	close(c.quit)
	<-c.gone
}

// start runs a program. The error is that of fork, chdir or execve.
func (c *children) start(p program, files []uintptr, sys *syscall.SysProcAttr) (*child, error) {
	c.mu.Lock()
	c.starting++
	c.mu.Unlock()

	pid, err := c.forkExec(p, &syscall.ProcAttr{Dir: p.dir, Env: p.env, Files: files, Sys: sys})

	c.mu.Lock()
	defer c.mu.Unlock()
	c.starting--
	var ch *child
	if err == nil {
		ch = &child{pid: pid, tty: sys.Setctty, done: make(chan struct{})}
		c.adopt(ch)
	}
	if c.starting == 0 {
		clear(c.early)
	}
	return ch, err
}

// forkExec is syscall.ForkExec, from a thread with the timer slack that Linux
// gives to processes: as init, this one may have that of calmSysmon.
func (c *children) forkExec(p program, attr *syscall.ProcAttr) (int, error) {
	if c.init {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, usualSlack, 0, 0, 0); err != nil {
			return 0, err
		}
	}
	return syscall.ForkExec(p.path, p.argv, attr)
}

// adopt makes ch one to wait for; it may be dead already.
func (c *children) adopt(ch *child) {
	if status, ok := c.early[ch.pid]; ok {
		delete(c.early, ch.pid)
		ch.status = status
		close(ch.done)
		return
	}
	c.owned[ch.pid] = ch
	select { // its SIGCHLD may have come before it was known
	case c.wake <- unix.SIGCHLD:
	default:
	}
}

// reap waits for the dead until stop.
func (c *children) reap() {
	defer close(c.gone)
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
		}
		if c.init {
			for c.reapOne(unix.P_ALL, 0) {
			}
			continue
		}
		for _, pid := range c.pids() {
			c.reapOne(unix.P_PID, pid)
		}
	}
}

func (c *children) pids() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := make([]int, 0, len(c.owned))
	for pid := range c.owned {
		pids = append(pids, pid)
	}
	return pids
}

// reapOne reaps one dead child, if there is one. While it is still a zombie
// its process group cannot be another's, so that is the time to kill it.
func (c *children) reapOne(idType, id int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := zombie(idType, id)
	if err != nil || pid == 0 {
		return false
	}
	ch := c.owned[pid]
	if ch != nil && ch.doomed {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WNOHANG, nil); err != nil {
		return false
	}
	switch {
	case ch != nil:
		delete(c.owned, pid)
		ch.status = status
		close(ch.done)
	case c.starting > 0:
		c.early[pid] = status
	}
	return true
}

// siginfo is the part of siginfo_t that waitid(2) fills in
// (include/uapi/asm-generic/siginfo.h, 64-bit layout).
type siginfo struct {
	_   [4]int32 // si_signo, si_errno, si_code, padding
	pid int32
	_   [108]byte
}

// zombie returns the pid of a dead child that it leaves unreaped; 0 when
// there is none, ECHILD when there are no children at all.
func zombie(idType, id int) (int, error) {
	var info siginfo
	err := unix.Waitid(idType, id, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return int(info.pid), err
}

// none tells whether no process is left: as PID 1, none in the whole guest.
func (c *children) none() bool {
	if !c.init {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.owned) == 0
	}
	_, err := zombie(unix.P_ALL, 0)
	return errors.Is(err, unix.ECHILD)
}

// signal sends sig to the process group of ch; after the end of ch to nobody.
func (c *children) signal(ch *child, sig unix.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owned[ch.pid] == ch {
		_ = unix.Kill(-ch.pid, sig)
	}
}

// doom sends sig to the process group of ch, and sees to it that what is left
// of the group is killed when ch ends.
func (c *children) doom(ch *child, sig unix.Signal) {
	c.mu.Lock()
	ch.doomed = true
	c.mu.Unlock()
	c.signal(ch, sig)
}

// signalAll sends sig to the group of every child.
func (c *children) signalAll(sig unix.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pid := range c.owned {
		_ = unix.Kill(-pid, sig)
	}
}

// hangUpTerminals tells the groups on terminals that theirs goes away.
func (c *children) hangUpTerminals() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pid, ch := range c.owned {
		if ch.tty {
			_ = unix.Kill(-pid, unix.SIGHUP)
		}
	}
}
