package agent_test

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/agent"
)

// TestThreadIn looks for threads in a call that nobody else makes here.
func TestThreadIn(t *testing.T) {
	t.Parallel()
	want := func(none bool) func() bool {
		return func() bool {
			tid, err := agent.ThreadIn(unix.SYS_PSELECT6)
			if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) { // a thread that ended meanwhile
				t.Fatal(err)
			}
			return err == nil && (tid == 0) == none
		}
	}
	await(t, want(true))
	first := selecting(t)
	await(t, want(false))
	second := selecting(t)
	await(t, want(true)) // which of the two cannot be told
	second()
	await(t, want(false))
	first()
	await(t, want(true))
}

// selecting puts one thread into pselect6(2) until end is called.
func selecting(t *testing.T) (end func()) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var set unix.FdSet
		for {
			set.Zero()
			set.Set(ends[0])
			limit := unix.NsecToTimeval(bootTime.Nanoseconds())
			n, err := unix.Select(ends[0]+1, &set, nil, nil, &limit)
			if n == 1 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return func() {
		_ = unix.Close(ends[1]) // end of file: readable
		<-done
		_ = unix.Close(ends[0])
	}
}
