// Package agent is the guest's side of the wire. As PID 1 of an initramfs
// (Boot) it loads modules, waits for its host on a virtio port, mounts the
// root filesystem it is told to and supervises processes until it switches
// the machine off. As a Server over any connection it does the supervising
// alone, in an ordinary process.
//
// The agent trusts its host and no process of the guest. As PID 1 it cannot
// be killed, not even for want of memory (the kernel's OOM killer spares the
// global init); processes run in a control group that leaves it room to work.
package agent
