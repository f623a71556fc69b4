package agent

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

// Marks keeps the points that a boot has reached.
type Marks struct {
	mu  sync.Mutex
	all []wire.Mark
}

// Reach notes that the boot has come to a point now.
func (m *Marks) Reach(name string) {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, wire.Mark{Name: name, Seconds: time.Duration(ts.Nano()).Seconds()})
}

// All returns the points, in order.
func (m *Marks) All() []wire.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]wire.Mark{}, m.all...)
}
