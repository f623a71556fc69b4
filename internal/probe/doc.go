// Package probe tries what the kernel under it can do, as root of a guest
// that exists for nothing else: it mounts, loads modules and makes devices.
package probe
