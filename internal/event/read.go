package event

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

var _ rpc.EventAPI = (*Log)(nil)

// Events implements rpc.EventAPI: JSON lines, oldest first.
func (l *Log) Events(ctx context.Context, p rpc.EventsParams, w io.Writer) error {
	filter, err := model.ParseEventFilter(p.Filters)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(w)
	send := func(e model.Event) error { return lines.Encode(e) }
	return l.Read(ctx, Query{Since: p.Since, Until: p.Until, Tail: p.Tail, Follow: p.Follow, Keep: filter.Match}, send)
}

// Query says which events to read.
type Query struct {
	// Since is the time of the first event; zero: with Follow nothing of the
	// past, else all that is kept.
	Since  time.Time
	Until  time.Time              // zero: no end
	Tail   int                    // of the past the last ones only; 0: all
	Follow bool                   // go on until ctx ends
	Keep   func(model.Event) bool // nil: all
}

func (q Query) picks(e model.Event) bool {
	return !e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until)) && (q.Keep == nil || q.Keep(e))
}

// Read sends the events of q, oldest first, and with Follow what comes until
// ctx ends, whose error it returns then. A follower that falls too far behind
// is a CodeLimit.
func (l *Log) Read(ctx context.Context, q Query, send func(model.Event) error) error {
	past, next, err := l.snapshot()
	if err != nil {
		return model.Errorf(model.CodeInternal, "reading events: %w", err)
	}
	defer past.close()
	if !q.Follow || !q.Since.IsZero() || q.Tail > 0 {
		if err := past.send(q, send); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	return l.follow(ctx, q, next, send)
}

// follow sends the events from number next on.
func (l *Log) follow(ctx context.Context, q Query, next uint64, send func(model.Event) error) error {
	for {
		events, more, err := l.newer(next)
		if err != nil {
			return err
		}
		for _, e := range events {
			if q.picks(e) {
				if err := send(e); err != nil {
					return err
				}
			}
		}
		next += uint64(len(events))
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// newer returns the events from number next on, and a channel that is closed
// when there are more.
func (l *Log) newer(next uint64) ([]model.Event, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next-next > ringSize {
		return nil, nil, model.Errorf(model.CodeLimit, "events came faster than they were taken: more than %d wait", ringSize)
	}
	var events []model.Event
	for ; next < l.next; next++ {
		events = append(events, l.ring[next%ringSize])
	}
	return events, l.added, nil
}

// past is what is on disk at one moment.
type past struct {
	files []*os.File
	sizes []int64
}

// snapshot opens the files as they are between two events; next is the number
// of the event that comes after them.
func (l *Log) snapshot() (p past, next uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, path := range []string{oldPath(l.path), l.path} {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = p.add(f)
		}
		if err != nil {
			p.close()
			return past{}, 0, err
		}
	}
	return p, l.next, nil
}

func (p *past) add(f *os.File) error {
	p.files = append(p.files, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p.sizes = append(p.sizes, info.Size())
	return nil
}

func (p *past) close() {
	for _, f := range p.files {
		_ = f.Close()
	}
}

// send sends the events of q. With Tail the newest are picked out first.
func (p *past) send(q Query, send func(model.Event) error) error {
	if q.Tail == 0 {
		return p.each(q, send)
	}
	var last []model.Event
	err := p.each(q, func(e model.Event) error {
		last = append(last, e)
		if len(last) >= 2*q.Tail {
			last = slices.Delete(last, 0, len(last)-q.Tail)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range last[max(0, len(last)-q.Tail):] {
		if err := send(e); err != nil {
			return err
		}
	}
	return nil
}

// each calls do with each event of q. Lines that are none, torn by a power
// cut, are skipped.
func (p *past) each(q Query, do func(model.Event) error) error {
	for i, f := range p.files {
		lines := bufio.NewScanner(io.LimitReader(f, p.sizes[i]))
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			var e model.Event
			if json.Unmarshal(lines.Bytes(), &e) != nil || !q.picks(e) {
				continue
			}
			if err := do(e); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			return model.Errorf(model.CodeInternal, "reading events: %w", err)
		}
	}
	return nil
}
