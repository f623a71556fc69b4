// Package rpc is the border between banger's programs: api.go lists every
// operation of the daemon, Client is that API on the caller's side of a unix
// socket. Package server is the other side, package protocol what both share.
//
// Each operation is POST /v1/<noun>.<verb> with a JSON body and a JSON answer;
// server/routes.go is the table of them. A long one streams its progress when asked
// with Accept: text/event-stream. A process in a VM has its standard input and
// output on a WebSocket (protocol/frames.go). The OpenAPI document is at
// /v1/openapi.json:
//
//	curl --unix-socket $XDG_RUNTIME_DIR/banger/banger.sock http://banger/v1/openapi.json
package rpc
