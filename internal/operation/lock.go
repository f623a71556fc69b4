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
	held    chan struct{} // capacity 1: full while held, by one or by all who share; waiters queue in order
	users   int           // holders and waiters; the entry goes with the last one
	sharers int           // holders who share
	shared  chan struct{} // closed while there are sharers
}

// Lock waits for the lock of key, which nobody else holds then, and returns its
// release, which may be called more than once. A caller that takes several
// locks takes them in the order of their keys.
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

// Share is Lock for callers that may hold the lock together: only one of Lock
// excludes them. They pass one of Lock that waits, so that no order of shares
// can make callers wait for each other.
func (s *Service) Share(ctx context.Context, key string) (unlock func(), err error) {
	t := &s.locks
	entry := t.enter(key)
	for !t.join(entry) {
		select {
		case entry.held <- struct{}{}:
			t.mu.Lock()
			entry.sharers = 1
			close(entry.shared)
			t.mu.Unlock()
			return t.unshare(key, entry), nil
		case <-t.sharing(entry):
		case <-ctx.Done():
			t.leave(key)
			return nil, gaveUp(ctx, "the lock of "+key)
		}
	}
	return t.unshare(key, entry), nil
}

// join makes the caller one of those who share, if there are any.
func (t *lockTable) join(entry *lockEntry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if entry.sharers == 0 {
		return false
	}
	entry.sharers++
	return true
}

func (t *lockTable) sharing(entry *lockEntry) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return entry.shared
}

func (t *lockTable) unshare(key string, entry *lockEntry) func() {
	return sync.OnceFunc(func() {
		t.mu.Lock()
		entry.sharers--
		if entry.sharers == 0 {
			entry.shared = make(chan struct{})
			<-entry.held
		}
		t.mu.Unlock()
		t.leave(key)
	})
}

func (t *lockTable) enter(key string) *lockEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	entry := t.entries[key]
	if entry == nil {
		entry = &lockEntry{held: make(chan struct{}, 1), shared: make(chan struct{})}
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
