// Package guest is the host's side of the wire: a Client for the agent in one
// guest. Nothing that an agent says is used as a path, an id or a command of
// the host; texts are made printable and every length is bounded.
package guest
