// Package kernelboot boots a kernel once, with nothing but the agent on its
// disk, to see whether and how fast it comes up and what it can do.
package kernelboot
