package imagepull

import (
	"context"
	"sync"
)

// keyLock is a lock per key whose waiters give up when their context ends.
type keyLock struct {
	mu   sync.Mutex
	held map[string]*keyHolder
}

type keyHolder struct {
	turn  chan struct{} // holds one token: the right to hold the lock
	users int
}

// lock waits for the key and returns the function that frees it.
func (l *keyLock) lock(ctx context.Context, key string) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*keyHolder{}
	}
	h := l.held[key]
	if h == nil {
		h = &keyHolder{turn: make(chan struct{}, 1)}
		h.turn <- struct{}{}
		l.held[key] = h
	}
	h.users++
	l.mu.Unlock()
	select {
	case <-h.turn:
		return func() { h.turn <- struct{}{}; l.leave(key, h) }, nil
	case <-ctx.Done():
		l.leave(key, h)
		return nil, ctx.Err()
	}
}

// tryLock takes the key if nobody holds it or waits for it.
func (l *keyLock) tryLock(key string) (unlock func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[key] != nil {
		return nil, false
	}
	if l.held == nil {
		l.held = map[string]*keyHolder{}
	}
	h := &keyHolder{turn: make(chan struct{}, 1), users: 1}
	l.held[key] = h
	return func() { h.turn <- struct{}{}; l.leave(key, h) }, true
}

// isHeld tells whether somebody holds the key or waits for it.
func (l *keyLock) isHeld(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[key] != nil
}

func (l *keyLock) leave(key string, h *keyHolder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(l.held, key)
	}
}
