// Package kernelcat keeps the kernels that guests boot: a catalog of those
// that can be pulled, those on this host, and the initial file system that
// brings banger's agent and the modules a root disk needs. Every kernel ends
// as one directory with an ELF vmlinux, wherever it came from.
package kernelcat
