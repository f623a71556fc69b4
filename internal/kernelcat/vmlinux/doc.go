// Package vmlinux turns a distribution's kernel image into the ELF file that
// VMMs boot without a boot loader, and reads what such a file says of itself.
// Formats: the kernel's Documentation/arch/x86/boot.rst (bzImage), ELF, and
// the PVH note of xen/include/public/elfnote.h.
package vmlinux
