// Package cpio writes archives that the Linux kernel unpacks as its initial
// file system: the "newc" format of the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst. Equal input
// gives equal bytes: times, owners and inode numbers are fixed.
package cpio
