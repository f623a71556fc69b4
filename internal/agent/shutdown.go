package agent

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// maxGrace bounds what a host may ask for.
const maxGrace = time.Hour

// powerOff ends all processes, writes everything to disk and switches the
// machine off. Signals to -1 reach all processes but PID 1 (kill(2)).
func powerOff(grace time.Duration) {
	grace = min(max(grace, 0), maxGrace)
	if grace > 0 {
		_ = unix.Kill(-1, unix.SIGTERM)
		_ = unix.Kill(-1, unix.SIGCONT)
	}
	for began := time.Now(); time.Since(began) < grace && processesLeft(); {
		time.Sleep(5 * time.Millisecond)
	}
	_ = unix.Kill(-1, unix.SIGKILL)
	unix.Sync()
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		unix.Sync() // something still writes: the journal has to do
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		complain(err)
	}
}

// processesLeft says whether a process other than PID 1 and the kernel's own
// is left. A kernel thread and a zombie have no command line.
func processesLeft() bool {
	dir, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == 1 {
			continue
		}
		if line, err := os.ReadFile("/proc/" + name + "/cmdline"); err == nil && len(line) > 0 {
			return true
		}
	}
	return false
}
