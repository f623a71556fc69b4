package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"

	"banger/internal/rpc/protocol"
)

// stream is an operation whose answer is bytes.
func stream[P any](verb, method, summary string, fn func(context.Context, P, io.Writer) error) route {
	return route{verb, method, summary, kindStream, reflect.TypeFor[P](), nil,
		func(s *Server, w http.ResponseWriter, r *http.Request) {
			serveStream(s, w, r, "application/octet-stream", fn)
		}}
}

// serveStream writes the bytes as they come. An error before the first byte
// is a plain answer; a later one is in the trailer X-Banger-Error.
func serveStream[P any](s *Server, w http.ResponseWriter, r *http.Request, contentType string, fn func(context.Context, P, io.Writer) error) {
	params, err := readParams[P](s, w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	out := &streamWriter{w: w, control: http.NewResponseController(w), contentType: contentType}
	_, err = guarded(r.Context(), s.log, r.URL.Path, func(ctx context.Context) (none, error) {
		return none{}, fn(ctx, params, out)
	})
	switch {
	case err == nil:
		out.begin()
	case !out.begun:
		writeError(w, err)
	default:
		told, _ := json.Marshal(protocol.WireError(err)) // three strings
		w.Header().Set(http.TrailerPrefix+protocol.ErrorTrailer, string(told))
	}
}

// streamWriter sends every write at once.
type streamWriter struct {
	w           http.ResponseWriter
	control     *http.ResponseController
	contentType string
	begun       bool
}

func (s *streamWriter) begin() {
	if !s.begun {
		s.w.Header().Set("Content-Type", s.contentType)
		s.begun = true
	}
}

func (s *streamWriter) Write(p []byte) (int, error) {
	s.begin()
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.control.Flush()
}
