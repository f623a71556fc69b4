package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"banger/internal/model"
)

// ErrGone: the process is certain not to run any more.
var ErrGone = errors.New("the process is gone")

// Identify returns the identity of the process that has the number pid now.
// ErrGone: none has.
func Identify(pid int) (model.ProcessID, error) {
	boot, err := bootID()
	if err != nil {
		return model.ProcessID{}, err
	}
	start, err := startTime(pid)
	if err != nil {
		return model.ProcessID{}, err
	}
	return model.ProcessID{BootID: boot, PID: pid, Start: start}, nil
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// startTime reads field 22 of /proc/PID/stat.
func startTime(pid int) (uint64, error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	const afterName = 22 - 3 // the first field after the name is the third
	start, err := strconv.ParseUint(string(fields[afterName]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("identifying process %d: %w", pid, err)
	}
	return start, nil
}
