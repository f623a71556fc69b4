package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/wire"
	"banger/test/initramfs"
)

// bootTime is long: a loaded host without KVM is slow.
const bootTime = 2 * time.Minute

// modules that a guest on microvm loads, each with what it needs.
var modules = []string{"virtio_mmio", "virtio_blk", "virtio_console", "virtio_net"}

// machine is a guest under QEMU.
type machine struct {
	cmd     *exec.Cmd
	socket  string
	console string
	exited  chan struct{}
	t       *testing.T
}

// connect connects to the agent; it may still be booting.
func (m *machine) connect(t *testing.T) *guest.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	var conn net.Conn
	await(t, func() bool { // QEMU binds its socket before it listens
		var err error
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", m.socket)
		return err == nil
	})
	c, err := guest.Connect(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Close() })
	return c
}

// boot starts a guest; it has no agent yet when boot returns.
func boot(t *testing.T) *machine {
	t.Helper()
	kernel := initramfs.Kernel(t)
	for _, tool := range []string{"qemu-system-x86_64", "mke2fs", "e2fsck", "busybox", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no ", tool)
		}
	}
	dir := t.TempDir()
	writeInitramfs(t, filepath.Join(dir, "initramfs"), buildAgent(t, dir), kernel)
	writeRoot(t, dir)
	m := &machine{socket: filepath.Join(dir, "agent.sock"), console: filepath.Join(dir, "console"), exited: make(chan struct{}), t: t}
	m.cmd = exec.CommandContext(t.Context(), "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-M", "microvm", "-accel", "tcg", "-cpu", "max,erms=off,fsrm=off", "-m", "256", "-global", "virtio-mmio.force-legacy=false",
		"-kernel", filepath.Join(kernel, model.VmlinuxFile), "-initrd", filepath.Join(dir, "initramfs"),
		"-append", "console=ttyS0 quiet reboot=t panic=-1 mitigations=off no_timer_check random.trust_cpu=on cryptomgr.notests nokaslr init_on_alloc=0"+earlyTSC(t),
		"-drive", "id=d0,if=none,format=raw,file="+filepath.Join(dir, "root.ext4"), "-device", "virtio-blk-device,drive=d0",
		"-device", "virtio-serial-device", "-chardev", "socket,id=agent,server=on,wait=off,path="+m.socket,
		"-device", "virtserialport,chardev=agent,name=banger.agent",
		"-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0,mac=52:54:00:12:34:56",
		"-chardev", "file,id=console,path="+m.console, "-serial", "chardev:console")
	out := &bytes.Buffer{}
	m.cmd.Stdout, m.cmd.Stderr = out, out
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.cmd.Wait(); close(m.exited) }()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-m.exited
		if log, _ := os.ReadFile(m.console); t.Failed() {
			t.Logf("qemu: %s\nconsole:\n%s", out, log)
		}
	})
	return m
}

// earlyTSC spares the kernel the measurement of its clock, which hangs on
// microvm when the host is loaded.
func earlyTSC(t *testing.T) string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		var mips float64
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "bogomips" {
			if _, err := fmt.Sscan(value, &mips); err == nil {
				return fmt.Sprintf(" tsc_early_khz=%d", int(mips*1000/2))
			}
		}
	}
	return ""
}

func buildAgent(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "banger-agent")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", path, "banger/cmd/banger-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// writeInitramfs writes what kernelcat writes.
func writeInitramfs(t *testing.T, path, agent, kernel string) {
	t.Helper()
	files := []initramfs.File{initramfs.Program(t, "init", agent)}
	for _, dir := range []string{"dev", "proc", "sys", "run", "newroot"} {
		files = append(files, initramfs.Dir(dir))
	}
	initramfs.Write(t, path, append(files, initramfs.Modules(t, kernel, modules...)...)...)
}

// writeRoot makes root.ext4: busybox, a user, a resolv.conf that leads
// nowhere, no /proc and no /run.
func writeRoot(t *testing.T, dir string) {
	t.Helper()
	tree := filepath.Join(dir, "tree")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	script := `set -e
mkdir -p bin sbin etc home/app tmp dev sys
cp "$BUSYBOX" bin/busybox
for a in $(bin/busybox --list); do [ "$a" = busybox ] || ln -s busybox "bin/$a"; done
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' >etc/passwd
printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' >etc/group
ln -s ../run/nowhere/resolv.conf etc/resolv.conf
chown -R 1000:1000 home/app
`
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(t.Context(), "sh", "-c", script),
		exec.CommandContext(t.Context(), "mke2fs", "-q", "-t", "ext4", "-d", ".", "../root.ext4", "64M"),
		exec.CommandContext(t.Context(), "truncate", "-s", "512M", "../root.ext4"),
	} {
		cmd.Dir = tree
		cmd.Env = append(os.Environ(), "BUSYBOX="+busybox)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
}

// shell is a script for the guest's shell.
func shell(script string) wire.ExecRequest {
	return wire.ExecRequest{Argv: []string{"/bin/sh", "-c", script}}
}
