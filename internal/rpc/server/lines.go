package server

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
)

// linesBuffer is how much of a long answer is sent at once, in bytes.
const linesBuffer = 64 << 10

// lines is an operation whose answer is many values: one JSON value a line
// (JSON Lines). Errors are told as those of a stream.
func lines[P, V any](verb, method, summary string, fn func(context.Context, P, func(V) error) error) route {
	return route{verb, method, summary, kindLines, reflect.TypeFor[P](), reflect.TypeFor[V](),
		func(s *Server, w http.ResponseWriter, r *http.Request) {
			serveStream(s, w, r, "application/jsonl", func(ctx context.Context, p P, out io.Writer) error { return writeLines(ctx, p, out, fn) })
		}}
}

func writeLines[P, V any](ctx context.Context, p P, out io.Writer, fn func(context.Context, P, func(V) error) error) error {
	buf := bufio.NewWriterSize(out, linesBuffer)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := fn(ctx, p, func(value V) error { return enc.Encode(value) }); err != nil {
		_ = buf.Flush() // the error says more than what is lost
		return err
	}
	return buf.Flush()
}
