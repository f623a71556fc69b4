// Command standin stands in for QEMU where thousands of VMs are started: it
// takes QEMU's arguments and descriptors, answers on the monitor as QEMU does,
// and is the guest's agent itself. bangerd finds it in PATH under QEMU's name
// and cannot tell the difference: all of the driver's own code is at work.
//
// What a guest runs are processes of the host; only tests may do that.
package main
