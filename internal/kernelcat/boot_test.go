package kernelcat_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"banger/internal/kernelcat"
	"banger/internal/kernelcat/apt"
	"banger/internal/model"
	"banger/internal/run"
)

// bootDeadline bounds one boot; it takes some 3 seconds of CPU without KVM.
const bootDeadline = 120 * time.Second

// machines are those of QEMU that guests run on, with the devices of a guest.
var machines = map[string][]string{
	"microvm": {
		"-M", "microvm", "-device", "virtio-blk-device,drive=d0", "-device", "virtio-net-device,netdev=n0",
		"-device", "virtio-serial-device", "-device", "virtserialport,chardev=c0,name=test",
	},
	"q35": {
		"-M", "q35", "-device", "virtio-blk-pci,drive=d0", "-device", "virtio-net-pci,netdev=n0",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=c0,name=test",
	},
}

// TestDebianKernelsBoot pulls Debian's kernels, the default one for virtual
// machines and the one with every driver, from the mirror that this host's apt
// knows, and boots them with their initial file systems.
func TestDebianKernelsBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a kernel is downloaded and booted")
	}
	for _, program := range []string{"apt-get", "qemu-system-x86_64", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this host", program)
		}
	}
	e := newEnv(t, func(c *kernelcat.Config) {
		c.Packages = apt.New(apt.Config{Dir: filepath.Join(c.Paths.Cache, "apt"), Arch: "amd64"})
		c.AgentPath = buildInit(t)
	})
	bootKernel(t, e, "debian-12-cloud")
	if !raceDetector { // the end-to-end tests boot it too
		bootKernel(t, e, "debian-12")
	}
}

func bootKernel(t *testing.T, e *env, name string) {
	t.Helper()
	k, err := e.EnsureKernel(t.Context(), name, func(p model.Progress) { t.Log(p.Stage, p.Note) })
	switch model.CodeOf(err) {
	case "":
	case model.CodeUnsupported, model.CodeUnreachable:
		t.Skipf("no Debian mirror for this host: %v", err)
	default:
		t.Fatal(err)
	}
	began := time.Now()
	initramfs, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: initial file system made in %v", k.Version, time.Since(began))
	for machine, args := range machines {
		checkBoot(t, name+" on "+machine, boot(t, k, initramfs, args))
	}
}

// buildInit builds testdata/init.
func buildInit(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "init")
	cmd := run.Cmd{Name: "go", Args: []string{"build", "-o", path, "./testdata/init"}, Env: []string{"CGO_ENABLED=0"}}
	if _, err := run.Command(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	return path
}

// boot returns what the guest wrote to its console until it reset itself.
func boot(t *testing.T, k model.Kernel, initramfs string, machine []string) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootDeadline)
	defer cancel()
	args := append([]string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-accel", "tcg", "-cpu", "max", "-m", "256",
		"-serial", "stdio", "-kernel", filepath.Join(k.Dir, model.VmlinuxFile), "-initrd", initramfs,
		"-append", "console=ttyS0 quiet reboot=t panic=-1 no_timer_check nokaslr mitigations=off" + tscEarly(t),
		"-drive", "id=d0,if=none,format=raw,file=" + disk, "-netdev", "user,id=n0", "-chardev", "null,id=c0",
	}, machine...)
	res, err := run.Command(ctx, run.Cmd{Name: "qemu-system-x86_64", Args: args})
	if err != nil {
		t.Fatalf("%v\nconsole:\n%s", err, res.Stdout)
	}
	return string(res.Stdout)
}

// tscEarly tells the kernel the clock's rate, without which it may hang on a
// loaded host: it would measure against a timer that microvm lacks.
func tscEarly(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^bogomips\s*:\s*([0-9.]+)`).FindSubmatch(read(t, "/proc/cpuinfo"))
	if m == nil {
		return ""
	}
	mips, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(" tsc_early_khz=%d", int(mips*500))
}

func checkBoot(t *testing.T, machine, console string) {
	t.Helper()
	t.Logf("%s:\n%s", machine, console)
	for _, line := range []string{"TEST found /dev/vda 1", "TEST found /dev/vport* 1", "TEST found /sys/class/net/eth0 1", "TEST done"} {
		if !strings.Contains(console, line) {
			t.Errorf("%s: the guest did not say %q", machine, line)
		}
	}
	loaded := 0
	for line := range strings.Lines(console) {
		if strings.HasPrefix(line, "TEST load ") {
			loaded++
			if !strings.Contains(line, ".ko <nil> ") {
				t.Errorf("%s: %s", machine, line)
			}
		}
	}
	if loaded < 4 { // a transport, disk, port and network card at least
		t.Errorf("%s: only %d modules loaded", machine, loaded)
	}
}
