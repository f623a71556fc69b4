package kvm

import (
	"fmt"
	"io"
	"os"
	"time"
)

// childEnv marks the process as a probe's child.
const childEnv = "BANGER_KVM_PROBE_CHILD"

// MaybeProbeChild does a probe's work and exits when the process is its
// child; else it does nothing. Mains and TestMains whose program may call
// Probe call it first.
func MaybeProbeChild() {
	if os.Getenv(childEnv) != "" {
		os.Exit(beChild(os.Stdout)) //nolint:forbidigo // the child ends where main has hardly begun
	}
}

// beChild runs the guest, prints the answer that parseChild reads, and
// returns the exit status.
func beChild(out io.Writer) int {
	began := time.Now()
	if err := runGuest(); err != nil {
		fmt.Fprintln(out, "error", err)
		return 1
	}
	fmt.Fprintln(out, "ok", time.Since(began).Nanoseconds())
	return 0
}
