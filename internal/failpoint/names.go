package failpoint

import "strings"

// Names returns the names of all places, sorted: the operation, a slash, and
// what has just been done there. A new place adds its line.
func Names() []string { return strings.Fields(names) }

const names = `
image.commit/flattened
image.commit/layer
image.commit/published
image.delete/forgotten
image.delete/locked
image.delete/retired
image.delete/unused
image.promote/copied
image.promote/published
image.pull/bootset
image.pull/built
image.pull/described
image.pull/flattened
image.pull/kernel
image.pull/locked
image.pull/published
image.pull/resolved
image.pull/rootfs
image.pull/staged
image.pull/unpacked
image.recover/removed
image.recover/swept
image.register/checked
image.register/kernel
image.tag/published
image.tag/shared
initramfs/built
initramfs/locked
kernel.delete/forgotten
kernel.delete/locked
kernel.delete/unused
kernel.finish/checked
kernel.finish/published
kernel.import/copied
kernel.import/locked
kernel.import/staged
kernel.pull/downloaded
kernel.pull/locked
kernel.pull/staged
kernel.pull/unpacked
kernel.recover/swept
operation.recover/begun
operation/begun
operation/undoing
qemu.start/greeted
qemu.start/prepared
qemu.start/spawned
vm.commit/guarded
vm.create/cloned
vm.create/directory
vm.create/hooked
vm.create/image
vm.create/intended
vm.create/kernel
vm.create/locked
vm.create/named
vm.create/ready
vm.delete/guarded
vm.delete/hooked
vm.delete/intended
vm.delete/removed
vm.kill/found
vm.kill/signalled
vm.recover/rows
vm.recover/vm
vm.restart/stopped
vm.run/ended
vm.run/planned
vm.run/started
vm.start/admitted
vm.start/answered
vm.start/configured
vm.start/dialed
vm.start/found
vm.start/guarded
vm.start/hooked
vm.start/intended
vm.start/launched
vm.start/prepared
vm.start/recorded
vm.stop/asked
vm.stop/ended
vm.stop/guarded
vm.stop/intended
vm.watch/recorded
vm.watch/seen
`
