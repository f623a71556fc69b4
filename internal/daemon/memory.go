package daemon

import (
	"runtime/debug"
	"sync"
	"time"

	"banger/internal/model"
)

// trimDelay is how long after the last operation memory is given back: soon
// enough for a host with many VMs, late enough not to disturb a busy daemon.
const trimDelay = 2 * time.Second

// Trimmer gives the memory that operations needed back to the host. It sleeps
// without a ticker: one timer runs after an operation, none when all is idle.
type Trimmer struct {
	mu    sync.Mutex
	timer *time.Timer
}

// Ended is to be called at the end of every operation.
func (t *Trimmer) Ended(model.Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer == nil {
		t.timer = time.AfterFunc(trimDelay, debug.FreeOSMemory)
		return
	}
	t.timer.Reset(trimDelay)
}

// Close forgets a trim that is due.
func (t *Trimmer) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}
