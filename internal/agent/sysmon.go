package agent

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// sysmonSlack is how much later than asked for the watching thread may be
// woken, in nanoseconds: a tick at 250 Hz.
const sysmonSlack = "4000000"

// calmSysmon lets the thread with which Go's runtime watches over the others
// (sysmon, in runtime/proc.go) be woken late. While anything runs it sleeps
// 20 us at a time; on an emulated processor those timer interrupts and context
// switches cost more than all that the agent does for a command. With slack it
// is woken by the ticks, which come anyway.
//
// The slack (proc(5), timerslack_ns) is that of this thread alone: it starts
// no processes, which would inherit it. When the thread cannot be told for
// sure, all stays as it is.
func calmSysmon() error {
	for range sysmonTries {
		tid, err := sysmon()
		if err != nil {
			return err
		}
		if tid != 0 {
			return os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid), []byte(sysmonSlack), 0)
		}
	}
	return nil
}

// sysmonTries is how often the thread is looked for: it is awake at times.
const sysmonTries = 50

// sysmon returns the watching thread, 0 when it does not sleep at the moment.
// It is the first that the runtime starts, before any goroutine can ask for
// one; and it is in nanosleep(2), where others are too, but not for long.
func sysmon() (int, error) {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0, err
	}
	first := 0
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err == nil && tid != os.Getpid() && (first == 0 || tid < first) {
			first = tid
		}
	}
	call, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", first))
	if err != nil {
		return 0, err
	}
	if number, _, _ := bytes.Cut(call, []byte(" ")); string(number) != strconv.Itoa(unix.SYS_NANOSLEEP) {
		return 0, nil
	}
	return first, nil
}
