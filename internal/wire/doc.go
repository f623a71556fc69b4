// Package wire is the protocol that the host and the agent in a guest share:
// a handshake that survives a dead peer, one multiplexer, and the messages on
// its streams. Everything that comes from a guest is untrusted: every length
// is bounded before it is believed.
package wire
