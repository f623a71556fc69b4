package agent_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"banger/internal/agent"
)

// TestSysmon: while a goroutine computes, the watching thread sleeps and wakes,
// and is always the same one, with many others about.
func TestSysmon(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	defer close(stop)
	for range 8 {
		go func() {
			runtime.LockOSThread() // a thread of its own, which ends with it
			<-stop
		}()
	}
	found := map[int]int{}
	await(t, func() bool {
		tid, err := agent.Sysmon()
		if err != nil {
			t.Fatal(err)
		}
		if tid != 0 {
			found[tid]++
		}
		return found[tid] > 20 && tid != 0
	})
	for tid := range found {
		if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid)); err != nil || len(found) != 1 || tid == os.Getpid() {
			t.Errorf("threads %v, %v", found, err)
		}
	}
}
