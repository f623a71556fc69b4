package kvm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	device = "/dev/kvm"

	// loopTurns is how often the guest's loop of two instructions runs.
	loopTurns = 1_000_000
	// tries bounds how often a slow run is repeated: the host may be loaded.
	tries = 3
	// tryLimit ends one run, and with it a stuck KVM_RUN.
	tryLimit = time.Second
	// fastEnough is the longest run of a KVM that runs code in hardware; it
	// takes about a millisecond there.
	fastEnough = 250 * time.Millisecond
)

// Verdict says whether KVM can run kernels here.
type Verdict struct {
	Usable bool   `json:"usable"`
	Reason string `json:"reason"` // one plain line when it cannot
}

// Probe returns the verdict for the calling user. A measured one holds until
// the next boot and is kept in the file cache (""; nowhere). That the device
// can be opened is checked every time. The program must call MaybeProbeChild
// first thing in main. Probe takes at most some four seconds.
func Probe(ctx context.Context, cache string) Verdict {
	if reason := openable(); reason != "" {
		return Verdict{Reason: reason}
	}
	boot := bootID()
	if v, ok := load(cache, boot); ok {
		return v
	}
	v, measured := measure(ctx)
	if measured {
		save(cache, boot, v)
	}
	return v
}

// openable returns why /dev/kvm cannot be opened, or "".
func openable() string {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		_ = unix.Close(fd)
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "there is no " + device + ": virtualization is off in the firmware, or not offered to this virtual machine"
	case errors.Is(err, fs.ErrPermission):
		return "no permission to open " + device + ": add the user to group kvm and log in again"
	}
	return fmt.Sprintf("%s cannot be opened: %v", device, err)
}

// measure runs the child until a run was fast enough, failed outright, or
// there are no tries left. The second value is false when ctx ended first or
// the child did not do its part: such a verdict says nothing about the host.
func measure(ctx context.Context) (Verdict, bool) {
	for range tries {
		took, err := runChild(ctx)
		switch {
		case ctx.Err() != nil:
			return Verdict{Reason: "the test of " + device + " was interrupted"}, false
		case errors.Is(err, errNoChild):
			return Verdict{Reason: err.Error()}, false
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return Verdict{Reason: fmt.Sprintf("%s is there but does not work: %v", device, err)}, true
		case err == nil && took < fastEnough:
			return Verdict{Usable: true}, true
		}
	}
	return Verdict{Reason: fmt.Sprintf("%s is there but cannot run kernels (a loop of %d turns timed out%s)", device, loopTurns, moduleHint())}, true
}

var errNoChild = errors.New("the test of " + device + " is not built into this program")

// runChild measures in a copy of this program.
func runChild(ctx context.Context) (time.Duration, error) {
	if os.Getenv(childEnv) != "" {
		return 0, errNoChild // a child that has children would never end
	}
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = []string{childEnv + "=1"}
	cmd.WaitDelay = tryLimit
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return 0, context.DeadlineExceeded
	}
	if err != nil && len(out) == 0 {
		return 0, fmt.Errorf("its test ended with %w", err)
	}
	return parseChild(string(out))
}

// parseChild reads what a child printed: "ok" and nanoseconds, or "error"
// and why.
func parseChild(out string) (time.Duration, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(out), " ")
	switch word {
	case "ok":
		ns, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return 0, errNoChild
		}
		return time.Duration(ns), nil
	case "error":
		return 0, errors.New(rest)
	}
	return 0, errNoChild
}

// moduleHint names a kernel module that explains a slow KVM.
func moduleHint() string {
	if _, err := os.Stat("/sys/module/kvm_pvm"); err == nil {
		return "; kvm_pvm without hardware virtualization"
	}
	return ""
}
