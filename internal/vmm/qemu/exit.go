package qemu

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/proc"
	"banger/internal/vmm"
)

// exitOf classes the end of a process. QEMU's exit status is 0 in almost
// every case, so its last SHUTDOWN event tells most; then how the process
// ended, if it was our child.
func exitOf(event shutdownEvent, status proc.Status, killed bool) vmm.Exit {
	exit := vmm.Exit{Detail: event.reason, At: event.at}
	if exit.At.IsZero() {
		exit.At = time.Now()
	}
	switch event.reason {
	case "guest-shutdown":
		exit.Reason = vmm.ExitPoweroff
	case "guest-reset", "guest-panic", "subsystem-reset":
		exit.Reason = vmm.ExitReset
	case "host-qmp-quit", "host-qmp-system-reset", "host-signal", "host-ui":
		exit.Reason = vmm.ExitKilled
	case "":
		exit.Reason, exit.Detail = exitWithoutEvent(status, killed)
	default: // host-error and what later releases invent
		exit.Reason = vmm.ExitCrashed
	}
	return exit
}

func exitWithoutEvent(status proc.Status, killed bool) (vmm.ExitReason, string) {
	switch {
	case killed:
		return vmm.ExitKilled, "killed by banger"
	case !status.Known:
		return vmm.ExitCrashed, "QEMU ended without a word"
	case status.Signal == unix.SIGKILL || status.Signal == unix.SIGTERM:
		return vmm.ExitKilled, unix.SignalName(status.Signal)
	case status.Signal != 0:
		return vmm.ExitCrashed, unix.SignalName(status.Signal)
	}
	return vmm.ExitCrashed, fmt.Sprintf("QEMU ended with status %d", status.Code)
}
