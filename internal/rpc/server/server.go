package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/rpc/protocol"
)

// Bounds of the server.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	stopTimeout   = 15 * time.Second // for calls to end after they have been canceled
)

var errShutdown = errors.New("the daemon is shutting down")

// Server puts an rpc.API on HTTP. It is an http.Handler for connections that are
// trusted already: Listen lets only the owner connect.
type Server struct {
	log     *slog.Logger
	schemas schemas
	routes  map[string]route // by path
	openAPI func() []byte
	sockets sync.WaitGroup // WebSockets, which http.Server does not count
}

// New returns a Server of api. What goes wrong inside is told to log.
func New(api rpc.API, log *slog.Logger) *Server {
	s := &Server{log: log, schemas: newSchemas(), routes: map[string]route{}}
	table := routes(api)
	for _, rt := range table {
		s.schemas.of(rt.params) // all of them now: the registry may not grow while it is read
		s.routes[protocol.PathPrefix+rt.verb] = rt
	}
	s.openAPI = sync.OnceValue(func() []byte { return openAPI(table) })
	return s
}

// Serve answers the connections of l until ctx ends. Then it stops listening,
// cancels the calls under way, and waits for them, but not for ever.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	calls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	srv := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return calls },
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return model.Errorf(model.CodeInternal, "serving the socket: %w", err)
	case <-ctx.Done():
	}
	cancel(errShutdown)
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer done()
	err := errors.Join(srv.Shutdown(grace), s.waitForSockets(grace))
	if err != nil {
		err = model.Errorf(model.CodeTimeout, "calls did not end in time: %w", err)
	}
	if ended := <-failed; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, srv.Close())
}

func (s *Server) waitForSockets(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		s.sockets.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeHTTP answers one request. Nothing of it is looked at before its size
// and its origin.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(protocol.VersionHeader, protocol.Version)
	w.Header().Set("Cache-Control", "no-store")
	if err := admit(r); err != nil {
		w.Header().Set("Connection", "close")
		writeError(w, err)
		return
	}
	if r.URL.Path == protocol.OpenAPIPath {
		s.serveOpenAPI(w, r)
		return
	}
	rt, ok := s.routes[r.URL.Path]
	if !ok {
		writeError(w, model.Errorf(model.CodeNotFound, "there is no operation %.64q", r.URL.Path).
			WithHint("GET %s lists them all", protocol.OpenAPIPath))
		return
	}
	method := http.MethodPost
	if rt.kind == kindSocket {
		method = http.MethodGet
	}
	if !allow(w, r, method) {
		return
	}
	rt.serve(s, w, r)
}

// admit refuses requests that are too long, that a browser sent, or that come
// from a client of another major version.
func admit(r *http.Request) error {
	switch {
	case r.ContentLength > protocol.MaxBody:
		return bodyTooLong()
	case r.Host != protocol.Host:
		return model.Errorf(model.CodeUnauthorized, "the Host header is %.64q: only %q is answered", r.Host, protocol.Host).
			WithHint("use a URL that begins with http://%s%s", protocol.Host, protocol.PathPrefix)
	case len(r.Header.Values("Origin")) > 0, len(r.Header.Values("Referer")) > 0:
		return model.Errorf(model.CodeUnauthorized, "requests of web pages are not answered")
	}
	return protocol.Compatible(r.Header.Get(protocol.VersionHeader), "the client")
}

// allow answers a request of any other method itself.
func allow(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method {
		return true
	}
	w.Header().Set("Allow", method)
	err := model.Errorf(model.CodeInvalid, "%s is answered to %s requests, not to %.16q", r.URL.Path, method, r.Method)
	writeJSON(w, http.StatusMethodNotAllowed, err) // HTTP's own status, as RFC 9110 has it with Allow
	return false
}

func (s *Server) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if allow(w, r, http.MethodGet) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.openAPI())
	}
}

// serveCall answers with the result as JSON.
func serveCall[P, R any](s *Server, w http.ResponseWriter, r *http.Request, fn func(context.Context, P) (R, error)) {
	params, err := readParams[P](s, w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	result, err := guarded(r.Context(), s.log, r.URL.Path, func(ctx context.Context) (R, error) { return fn(ctx, params) })
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, result)
}

func readParams[P any](s *Server, w http.ResponseWriter, r *http.Request) (P, error) {
	body, err := readBody(w, r)
	if err != nil {
		var params P
		return params, err
	}
	return decode[P](s.schemas, body)
}

// guarded calls fn. A panic becomes an error, so that one bad call cannot end
// the daemon; the end of ctx becomes the error's code and words.
func guarded[R any](ctx context.Context, log *slog.Logger, what string, fn func(context.Context) (R, error)) (result R, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("call panicked", "call", what, "panic", p, "stack", string(debug.Stack()))
			err = model.Errorf(model.CodeInternal, "%s: internal error: %v", what, p).
				WithHint("this is a fault of banger; the daemon's log has the details")
		}
	}()
	result, err = fn(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errShutdown) && protocol.WireError(err).Code == model.CodeCanceled {
		err = model.Errorf(model.CodeCanceled, "%w", errShutdown)
	}
	return result, err
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		writeError(w, model.Errorf(model.CodeInternal, "encoding the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has left is told nothing
}

func writeError(w http.ResponseWriter, err error) {
	told := protocol.WireError(err)
	writeJSON(w, protocol.StatusOf(told.Code), told)
}
