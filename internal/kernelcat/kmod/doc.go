// Package kmod works out which kernel modules must be loaded in which order.
// It reads a lib/modules/<release> directory as a kernel package brings it:
// what a module needs is told by its own .modinfo section, so that neither
// depmod nor the modules.dep that it makes are needed.
package kmod
