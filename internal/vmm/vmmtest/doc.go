// Package vmmtest holds Run, the suite that every vmm.Driver passes, and
// Fake, a driver whose VMs live in memory.
package vmmtest
