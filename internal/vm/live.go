package vm

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/vmm"
)

// connectTimeout bounds one try to reach the agent of a guest that has
// booted. A guest that is only slow answers in milliseconds even on TCG.
const connectTimeout = 10 * time.Second

// live is a VM whose process runs: the process and the wire to its agent.
type live struct {
	vmID       string
	generation string
	machine    vmm.Machine
	gone       chan struct{} // closed by watch when all is cleaned up
	stalled    atomic.Bool   // the guest waits for room on the host's disk

	mu      sync.Mutex
	outcome *outcome      // what the row says when the process has ended
	up      bool          // the guest has come up: an end is the VM's, not the boot's
	kept    bool          // expire looks after it
	busy    int           // processes that somebody is attached to
	worked  time.Time     // when the last of them ended
	client  *guest.Client // nil until somebody needs the agent
	dialing chan struct{} // holds one token: one connection at a time
}

// outcome is a VM's state after its process has ended, decided by whoever
// ended it on purpose.
type outcome struct {
	state  model.VMState
	reason string
}

func newLive(vmID, generation string, m vmm.Machine) *live {
	return &live{
		vmID: vmID, generation: generation, machine: m,
		gone: make(chan struct{}), dialing: make(chan struct{}, 1),
	}
}

// expect says what the row shall say once the process is gone. The first
// call wins.
func (l *live) expect(state model.VMState, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcome == nil {
		l.outcome = &outcome{state, reason}
	}
}

func (l *live) expected() *outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outcome
}

// agent returns the connection to the agent, making it when there is none.
func (l *live) agent(ctx context.Context) (*guest.Client, error) {
	select {
	case l.dialing <- struct{}{}:
		defer func() { <-l.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := l.connected(); c != nil {
		return c, nil
	}
	conn, err := l.machine.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("dialing the agent: %w", err)
	}
	return l.connect(ctx, conn)
}

func (l *live) connect(ctx context.Context, conn net.Conn) (*guest.Client, error) {
	c, err := guest.Connect(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("reaching the agent: %w", err)
	}
	l.mu.Lock()
	l.client = c
	l.mu.Unlock()
	return c, nil
}

// connected returns the connection to the agent if there is a healthy one.
func (l *live) connected() *guest.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil {
		return nil
	}
	select {
	case <-l.client.Done():
		l.client = nil
		return nil
	default:
		return l.client
	}
}

// release lets go of the process and the wire without ending the VM.
func (l *live) release() {
	l.mu.Lock()
	c := l.client
	l.client = nil
	l.mu.Unlock()
	if c != nil {
		_ = c.Close()
	}
	_ = l.machine.Close()
}

// setUp marks the boot as seen through.
func (l *live) setUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = true
}

// keep marks the VM as looked after by expire; false: it is already.
func (l *live) keep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.kept
	l.kept = true
	return first
}

// work marks the guest as working until done is called.
func (l *live) work(now func() time.Time) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.busy--
		l.worked = now()
	}
}

// lastWork returns when somebody was last attached: now, while somebody is.
func (l *live) lastWork(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy > 0 {
		return now
	}
	return l.worked
}

func (l *live) wasUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// goneTime is how long the end of a process may take to be seen after its
// agent has fallen silent.
const goneTime = 2 * time.Second

// awaitGone says whether the process has ended, now or within goneTime.
func (l *live) awaitGone(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, goneTime)
	defer cancel()
	select {
	case <-l.gone:
		return true
	case <-ctx.Done():
		return false
	}
}

// isGone says whether the process has ended and was cleaned up after.
func (l *live) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// lookup returns the running process of a VM, nil when there is none.
func (s *Service) lookup(id string) *live {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id]
}

// adopt makes a process known and watches it until it ends.
func (s *Service) adopt(ctx context.Context, l *live, console string) {
	s.mu.Lock()
	s.live[l.vmID] = l
	s.mu.Unlock()
	go s.watch(context.WithoutCancel(ctx), l, console)
	go s.tellStalls(context.WithoutCancel(ctx), l)
}
