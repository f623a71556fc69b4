package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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
	tid, err := threadIn(unix.SYS_NANOSLEEP)
	if err != nil || tid == 0 {
		return err
	}
	return os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid), []byte(sysmonSlack), 0)
}

// threadIn returns the only thread of this process that is in that system
// call, 0 when there is none or more than one.
func threadIn(call int) (int, error) {
	files, err := filepath.Glob("/proc/self/task/*/syscall")
	if err != nil {
		return 0, err
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		if number, _, _ := bytes.Cut(text, []byte(" ")); string(number) != strconv.Itoa(call) {
			continue
		}
		if found != 0 {
			return 0, nil
		}
		if found, err = strconv.Atoi(filepath.Base(filepath.Dir(file))); err != nil {
			return 0, err
		}
	}
	return found, nil
}
