package vmm

import "time"

// Usage is what a VM's process has used since it started.
type Usage struct {
	CPU         time.Duration // processor time of all its threads
	MemoryBytes int64         // resident at the moment
	Disks       []DiskUsage   // in the order of Spec.Disks
}

// DiskUsage counts what the guest has read from and written to a disk.
type DiskUsage struct {
	ReadBytes  int64
	WriteBytes int64
	Reads      int64
	Writes     int64
}
