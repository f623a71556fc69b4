// Package protocol is what both ends of the daemon's socket agree on: version
// and headers, the names of events, the status of each error code, and the
// frames of a process's standard input and output. Neither the client nor the
// server is in it, so that a client does not carry the server.
package protocol
