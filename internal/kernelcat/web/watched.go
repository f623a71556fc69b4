package web

import (
	"io"
	"sync/atomic"
	"time"

	"banger/internal/model"
)

// watched is a body that is closed when nothing comes of it for a while.
type watched struct {
	body    io.ReadCloser
	host    string
	limit   time.Duration
	timer   *time.Timer
	stalled atomic.Bool
}

func newWatched(body io.ReadCloser, host string, limit time.Duration) *watched {
	w := &watched{body: body, host: host, limit: limit}
	w.timer = time.AfterFunc(limit, func() {
		w.stalled.Store(true)
		_ = body.Close() // ends the Read under way
	})
	w.timer.Stop()
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.limit)
	n, err := w.body.Read(p)
	w.timer.Stop()
	if err != nil && w.stalled.Load() {
		err = model.Errorf(model.CodeUnreachable, "%s has sent nothing for %s", w.host, w.limit)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	return w.body.Close()
}
