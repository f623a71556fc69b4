// Package rpc is the border between banger's programs: api.go lists every
// operation of the daemon, Server puts an API on a unix socket, Client is the
// same API on the other side.
//
// Each operation is POST /v1/<noun>.<verb> with a JSON body and a JSON answer;
// routes.go is the table of them. A long one streams its progress when asked
// with Accept: text/event-stream. A process in a VM has its standard input and
// output on a WebSocket (stdio.go). The OpenAPI document is at
// /v1/openapi.json:
//
//	curl --unix-socket $XDG_RUNTIME_DIR/banger/banger.sock http://banger/v1/openapi.json
package rpc
