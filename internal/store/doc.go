// Package store keeps images, kernels, VMs and operations in one SQLite file.
//
// A row is a JSON body beside the columns that it is found by, so that a new
// field of a noun needs no migration. The file is in WAL mode with
// synchronous=FULL: what a call has returned for is on the disk. There is one
// writer; readers never wait for it.
package store
