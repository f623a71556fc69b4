// Package agent is the guest's side of the wire. As PID 1 of the initramfs it
// loads modules, opens the wire, and waits to be told what VM it is in; then
// it mounts the root filesystem and supervises processes in it. An image
// needs nothing for this: no shell, no init, no library.
package agent
