package qemu_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
	"banger/internal/vmm/kvm"
	"banger/test/initramfs"
)

func TestMain(m *testing.M) {
	kvm.MaybeProbeChild()
	goleak.VerifyTestMain(m)
}

const busybox = "/bin/busybox"

// modules that the guest loads, each with what it needs.
var modules = []string{"virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng", "virtio_net"}

// initScript is the guest: it says on the console what devices it has, and
// then speaks vmmtest's lines on the agent's port.
const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read -r m; do insmod $m; done </modules.list
i=0
while [ ! -e /sys/class/virtio-ports/vport*/name ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
for d in /sys/block/vd*; do
	[ -e $d ] && echo "DISK $(basename $d) $(cat $d/serial) $(cat $d/size) ro=$(cat $d/ro) $(head -c 8 /dev/$(basename $d))" >/dev/console
done
[ -e /sys/class/net/eth0 ] && echo "CARD $(cat /sys/class/net/eth0/address)" >/dev/console
echo "RNG $(cat /sys/class/misc/hw_random/rng_current)" >/dev/console
echo "PORT $(cat /sys/class/virtio-ports/*/name)" >/dev/console
exec 3<>/dev/$(basename /sys/class/virtio-ports/vport*)
while :; do
	if ! read -r line <&3; then sleep 0.1; continue; fi
	case $line in
	poweroff) poweroff -f ;;
	reset) reboot -f ;;
	panic) exit 1 ;;
	fetch) ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 1 -w 20 10.0.2.2 >/dev/null && echo reached >&3 ;;
	grow) seq 100001 120000 >/dev/console; echo grown >&3 ;;
	*) echo "$line" >&3 ;;
	esac
done
`

// bootFiles returns a kernel and an initial file system for the tests' guest.
func bootFiles(t *testing.T) (kernel, initrd string) {
	t.Helper()
	dir := initramfs.Kernel(t)
	if _, err := os.Stat(busybox); err != nil {
		t.Skip("no busybox: ", err)
	}
	files := []initramfs.File{{Name: "init", Mode: cpio.TypeReg | 0o755, Body: []byte(initScript)}}
	for _, dir := range []string{"bin", "dev", "proc", "sys"} {
		files = append(files, initramfs.Dir(dir))
	}
	files = append(files, initramfs.Program(t, "bin/busybox", busybox))
	initrd = filepath.Join(t.TempDir(), "initrd.cpio")
	initramfs.Write(t, initrd, append(files, initramfs.Modules(t, dir, modules...)...)...)
	return filepath.Join(dir, model.VmlinuxFile), initrd
}

// newSpec returns a spec of the tests' guest with directories of its own.
func newSpec(t *testing.T, kernel, initrd string) vmm.Spec {
	t.Helper()
	// Short, for the sockets; with a comma, for the arguments.
	dir, err := os.MkdirTemp("", "b,vm") //nolint:usetesting // t.TempDir is too long
	if err != nil {
		t.Fatal(err)
	}
	consoleLog := filepath.Join(dir, "console.log")
	t.Cleanup(func() {
		if tail, _, err := console.Tail(consoleLog, 40); t.Failed() {
			t.Logf("console (%v):\n%s", err, tail)
		}
		_ = os.RemoveAll(dir)
	})
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	return vmm.Spec{
		ID: model.NewID(), Generation: model.NewID(), RunDir: run,
		Kernel: kernel, Initrd: initrd, CPUs: 1, MemoryMiB: 192,
		Network: model.NetNone, Console: consoleLog,
	}
}
