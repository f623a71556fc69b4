package qemu_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
	"go.uber.org/goleak"

	"banger/internal/kernelcat/kmod"
	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
	"banger/internal/vmm/kvm"
)

// kernelEnv names the directory of a kernel as banger keeps it, with vmlinux
// and modules/; scripts/test-guests.sh sets it.
const kernelEnv = "BANGER_TEST_KERNEL"

func TestMain(m *testing.M) {
	kvm.MaybeProbeChild()
	goleak.VerifyTestMain(m)
}

// modules that the guest loads, each with what it needs.
var modules = []string{"virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng", "virtio_net"}

// initScript is the guest: it says on the console what devices it has, and
// then speaks vmmtest's lines on the agent's port.
const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for m in /mods/*.ko; do insmod $m; done
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
	dir := os.Getenv(kernelEnv)
	if dir == "" {
		t.Skip(kernelEnv + " names no directory of a kernel: scripts/test-guests.sh")
	}
	if _, err := os.Stat("/bin/busybox"); err != nil {
		t.Skip("no /bin/busybox: ", err)
	}
	initrd = filepath.Join(t.TempDir(), "initrd.cpio")
	writeInitrd(t, initrd, filepath.Join(dir, model.ModulesDir))
	return filepath.Join(dir, model.VmlinuxFile), initrd
}

func writeInitrd(t *testing.T, file, modDir string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cpio.NewWriter(f)
	put := func(name string, mode cpio.FileMode, body []byte) {
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: mode, Size: int64(len(body)), Links: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "dev", "proc", "sys", "mods"} {
		put(dir, cpio.TypeDir|0o755, nil)
	}
	put("init", cpio.TypeReg|0o755, []byte(initScript))
	put("bin/busybox", cpio.TypeReg|0o755, read(t, "/bin/busybox"))
	tree, err := kmod.OpenTree(modDir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	plan, err := tree.Plan(modules)
	if err != nil || len(plan.Missing) > 0 {
		t.Fatalf("modules: %v, missing %v", err, plan.Missing)
	}
	for i, m := range plan.Load {
		body, err := tree.Read(m.Path)
		if err != nil {
			t.Fatal(err)
		}
		put(fmt.Sprintf("mods/%02d.ko", i), cpio.TypeReg|0o644, body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
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
