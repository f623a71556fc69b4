// Package doctor looks at the host and at what banger keeps on it: Doctor
// checks what VMs need, CheckState compares rows, files and processes, and
// DiskUsage counts bytes.
//
// It mends only what cannot lose anything: it never deletes a disk and never
// ends a process.
package doctor
