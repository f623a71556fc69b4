package operation

import (
	"context"
	"sync"
)

// lockTable holds one lock for each key that is held or waited for.
type lockTable struct {
	mu      sync.Mutex
	entries map[string]*lockEntry
}

type lockEntry struct {
	held  chan struct{} // capacity 1: full while held; waiters queue in order
	users int           // holder and waiters; the entry goes with the last one
}

// Lock waits for the lock of key and returns its release, which may be called
// more than once. A caller that takes several locks takes them in the order
// of their keys.
func (s *Service) Lock(ctx context.Context, key string) (unlock func(), err error) {
	t := &s.locks
	entry := t.enter(key)
	select {
	case entry.held <- struct{}{}:
	case <-ctx.Done():
		t.leave(key)
		return nil, gaveUp(ctx, "the lock of "+key)
	}
	return sync.OnceFunc(func() {
		<-entry.held
		t.leave(key)
	}), nil
}

func (t *lockTable) enter(key string) *lockEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	entry := t.entries[key]
	if entry == nil {
		entry = &lockEntry{held: make(chan struct{}, 1)}
		t.entries[key] = entry
	}
	entry.users++
	return entry
}

func (t *lockTable) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	entry := t.entries[key]
	entry.users--
	if entry.users == 0 {
		delete(t.entries, key)
	}
}
