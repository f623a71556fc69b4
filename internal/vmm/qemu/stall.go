package qemu

import (
	"context"
	"time"
)

// feedEvery is how often a guest that waits for room on the host's disk is let
// try again.
const feedEvery = time.Second

// Stalls implements vmm.Machine.
func (m *machine) Stalls() <-chan bool { return m.stalls }

// feed lets a guest go on that QEMU has stopped because the host's disk was
// full (werror=enospc, which is QEMU's default: what the guest writes is
// written again then, and nothing is lost). It ends with ctx or the process.
func (m *machine) feed(ctx context.Context) {
	if m.runState(ctx) == ioError { // since before this daemon
		m.monitor.stalled()
	}
	for {
		select {
		case <-m.monitor.stalls:
		case <-m.monitor.done:
			return
		case <-ctx.Done():
			return
		}
		m.tellStall(true)
		if !m.retry(ctx) {
			return
		}
		m.tellStall(false)
	}
}

// retry lets the guest try until it goes on; false: nobody knows any more. A
// guest that somebody has paused meanwhile stays so until it is resumed.
func (m *machine) retry(ctx context.Context) bool {
	for {
		select { // what came of a try shows a moment later
		case <-time.After(feedEvery):
		case <-ctx.Done():
			return false
		}
		select { // of that try
		case <-m.monitor.stalls:
		default:
		}
		switch m.runState(ctx) {
		case "":
			return false
		case ioError:
			_ = m.execute(ctx, "cont")
		case "running":
			return true
		}
	}
}

// ioError is the RunState of a guest that was stopped by a disk's error.
const ioError = "io-error"

// runState is a RunState of QEMU's qapi/run-state.json; "" when QEMU does not
// say it.
func (m *machine) runState(ctx context.Context) string {
	var answer struct {
		Status string `json:"status"`
	}
	if m.monitor.execute(ctx, "query-status", &answer) != nil {
		return ""
	}
	return answer.Status
}

// tellStall leaves the newest value for whoever listens.
func (m *machine) tellStall(stalled bool) {
	select {
	case <-m.stalls:
	default:
	}
	m.stalls <- stalled // its one sender is feed
}
