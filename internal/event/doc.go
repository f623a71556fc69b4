// Package event keeps what has happened, VMs' states and operations, and lets
// it be read and followed. It is for people and scripts that watch: nothing of
// banger depends on an event having been kept.
package event
