package agent

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollTime is between two looks at whether all processes have ended.
const pollTime = 10 * time.Millisecond

// endProcesses ends all processes: as PID 1 those of the guest, otherwise the
// groups that the server started.
//
//	SIGTERM  and on terminals SIGHUP: their shells ignore SIGTERM
//	wait     for their end, at most grace
//	SIGKILL
//	wait     at most killTime: what is stuck in the kernel stays
func (s *Server) endProcesses(grace time.Duration) {
	s.broadcast(unix.SIGTERM)
	s.children.hangUpTerminals()
	s.broadcast(unix.SIGCONT) // the stopped ones are to act on it too
	if !s.quiet(grace) {
		s.broadcast(unix.SIGKILL)
		s.quiet(killTime)
	}
}

func (s *Server) broadcast(sig unix.Signal) {
	if os.Getpid() == 1 {
		_ = unix.Kill(-1, sig) // all but init
		return
	}
	s.children.signalAll(sig)
}

// quiet waits until no process is left, at most d.
func (s *Server) quiet(d time.Duration) bool {
	for end := time.Now().Add(d); !s.children.none(); time.Sleep(pollTime) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// switchOff makes the disk consistent and ends the machine.
func switchOff() error {
	unix.Sync()
	_ = unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, "") // the journal replays what this cannot
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
