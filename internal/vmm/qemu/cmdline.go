package qemu

import (
	"fmt"
	"strings"
)

// maxCmdline is Linux's limit on x86, COMMAND_LINE_SIZE without the NUL.
const maxCmdline = 2047

// cmdline appends what the machine needs to a kernel command line: the
// console, and that a reset or a panic ends QEMU (with -no-reboot).
func cmdline(own string, host Host) string {
	words := strings.Fields(own)
	words = append(words, "console=ttyS0", "reboot=t", "panic=-1", "quiet")
	if host.Accel == AccelTCG {
		words = append(words, tcgParameters(host)...)
	}
	return strings.Join(words, " ")
}

// tcgParameters spare an emulated CPU work that protects nothing there. The
// frequency of the time stamp counter, which the emulation takes from the
// host, keeps the kernel from measuring it: the microvm machine has no timer
// that it could measure against reliably, and the boot hangs when the
// measurement fails on a loaded host.
func tcgParameters(host Host) []string {
	words := []string{"mitigations=off", "nokaslr", "no_timer_check", "random.trust_cpu=on", "cryptomgr.notests", "init_on_alloc=0"}
	if host.TSCKHz > 0 {
		words = append(words, fmt.Sprintf("tsc_early_khz=%d", host.TSCKHz))
	}
	return words
}
