package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// userHZ is the unit of times in /proc (USER_HZ, include/asm-generic/param.h),
// the same on all architectures that we run on.
const userHZ = 100

// CPUTime returns the processor time that the process has used so far, in user
// and kernel mode, all threads together. ErrGone: it has ended, whatever now
// has its number.
func CPUTime(id model.ProcessID) (time.Duration, error) {
	fields, err := fieldsOf(id)
	if err != nil {
		return 0, err
	}
	const user, system = 14 - 3, 15 - 3 // proc_pid_stat(5), from the third
	ticks := int64(0)
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of process %d: %w", id.PID, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / userHZ), nil
}

// Resident returns how many bytes of memory the process has resident. ErrGone:
// it has ended, whatever now has its number.
func Resident(id model.ProcessID) (int64, error) {
	fields, err := fieldsOf(id)
	if err != nil {
		return 0, err
	}
	const rss = 24 - 3 // proc_pid_stat(5), from the third
	if len(fields) <= rss {
		return 0, fmt.Errorf("reading the memory of process %d: its stat file has %d fields", id.PID, len(fields))
	}
	pages, err := strconv.ParseInt(string(fields[rss]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the memory of process %d: %w", id.PID, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// fieldsOf is statFields of a process that still is the one of that identity.
func fieldsOf(id model.ProcessID) ([][]byte, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	fields, err := statFields(id.PID)
	if err != nil {
		return nil, err
	}
	const start = 22 - 3
	if boot != id.BootID || string(fields[start]) != strconv.FormatUint(id.Start, 10) {
		return nil, fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	return fields, nil
}

// statFields returns the fields of /proc/PID/stat from the third on
// (proc_pid_stat(5)), at least up to the 22nd. They are counted from the last
// parenthesis, since the second is the command's name and may hold anything.
func statFields(pid int) ([][]byte, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", pid, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("identifying process %d: %w", pid, err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= 22-3 {
		return nil, fmt.Errorf("identifying process %d: unexpected %q in its stat file", pid, stat)
	}
	return fields, nil
}
