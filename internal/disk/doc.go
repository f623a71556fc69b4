// Package disk makes the disks of VMs: clones of an image's root filesystem
// that cost as little time and space as the host's filesystem allows.
package disk
