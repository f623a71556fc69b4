// Package qemu runs VMs as QEMU processes of the microvm or the q35 machine, on KVM or
// on QEMU's own emulation (TCG). Args is pure; Start and Attach deal with the
// process, whose monitor is spoken to over QMP (docs/interop/qmp-spec of
// QEMU). The process outlives the daemon.
package qemu
