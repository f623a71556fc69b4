package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

func acceptsEvents(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), protocol.EventStream)
}

// serveEvents answers with server-sent events (WHATWG HTML, section 9.2). An
// error before the first event is a plain answer with its status.
func serveEvents[P, R any](s *Server, w http.ResponseWriter, r *http.Request, fn func(context.Context, P, model.Report) (R, error)) {
	params, err := readParams[P](s, w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	queue := newProgressQueue()
	events := &eventWriter{w: w}
	written := make(chan struct{})
	go func() {
		defer close(written)
		queue.drain(func(p model.Progress) { events.send(protocol.EventProgress, p) })
	}()
	result, err := guarded(r.Context(), s.log, r.URL.Path, func(ctx context.Context) (R, error) {
		return fn(ctx, params, queue.put)
	})
	queue.close()
	<-written
	switch {
	case err == nil:
		events.send(protocol.EventResult, result)
	case !events.begun:
		writeError(w, err)
	default:
		events.send(protocol.EventError, protocol.WireError(err))
	}
}

// eventWriter writes one event at a time. A client that has left is noticed by
// the server, which cancels the call; here its events go nowhere.
type eventWriter struct {
	w     http.ResponseWriter
	begun bool
	buf   bytes.Buffer
}

func (e *eventWriter) send(event string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		event = protocol.EventError
		data = []byte(`{"code":"internal","message":"the answer cannot be encoded"}`)
	}
	if !e.begun {
		e.w.Header().Set("Content-Type", protocol.EventStream)
		e.begun = true
	}
	e.buf.Reset()
	e.buf.WriteString("event: " + event + "\ndata: ")
	e.buf.Write(data) // one line: json.Marshal writes no newline
	e.buf.WriteString("\n\n")
	_, _ = e.w.Write(e.buf.Bytes())
	_ = http.NewResponseController(e.w).Flush()
}
