// Package volume is the volume service: ext4 disks with names, which outlive
// the VMs that mount them. One file holds one operation. Who uses and who
// holds a volume is in the database; package vm claims and releases.
package volume
