// Package kvm finds out whether this host's KVM can run kernels. That
// /dev/kvm can be opened proves little: a KVM that emulates each instruction
// runs short code and takes hours for a kernel. So a million instructions are
// run, in a child process that can be killed when they don't end.
package kvm
