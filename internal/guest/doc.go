// Package guest is the host's side of the wire: what the daemon asks of the
// agent in a guest. Nothing that an agent says is used as a path, an id or a
// command on the host.
package guest
