package server

import (
	"sync"

	"banger/internal/model"
)

// maxQueued bounds the reports that wait for a slow client. Items are only
// counted once each, so that this takes a call with very many stages or notes.
const maxQueued = 4096

// progressQueue stands between a call, which must not wait, and a client that
// may be slow. Of the counts of one item only the newest waits.
type progressQueue struct {
	mu      sync.Mutex
	waiting []model.Progress
	items   map[itemKey]int // index in waiting of an item's newest count
	closed  bool
	wake    chan struct{} // capacity 1
}

type itemKey struct{ operation, item string }

func newProgressQueue() *progressQueue {
	return &progressQueue{items: map[itemKey]int{}, wake: make(chan struct{}, 1)}
}

// put is a model.Report.
func (q *progressQueue) put(p model.Progress) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if p.Item != nil && q.replace(p) {
		return
	}
	if len(q.waiting) == maxQueued {
		return
	}
	if p.Item != nil {
		q.items[itemKey{p.Operation, p.Item.ID}] = len(q.waiting)
	}
	q.waiting = append(q.waiting, p)
	q.signal()
}

// replace puts p in the place of an older count of its item, if one waits.
func (q *progressQueue) replace(p model.Progress) bool {
	i, ok := q.items[itemKey{p.Operation, p.Item.ID}]
	if ok {
		q.waiting[i] = p
	}
	return ok
}

func (q *progressQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *progressQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// drain passes on what comes until the queue is closed and empty.
func (q *progressQueue) drain(send func(model.Progress)) {
	for range q.wake {
		batch, closed := q.take()
		for _, p := range batch {
			send(p)
		}
		if closed {
			return
		}
	}
}

func (q *progressQueue) take() (batch []model.Progress, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.waiting = q.waiting, nil
	clear(q.items)
	return batch, q.closed
}
