package qemu_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
	"banger/internal/vmm/qemu"
	"banger/internal/vmm/vmmtest"
)

// emulated is the configuration of tests that are not about the choice of
// the accelerator.
var emulated = qemu.Config{Accel: qemu.AccelTCG}

func start(t *testing.T, spec vmm.Spec) vmm.Machine {
	t.Helper()
	m, err := qemu.New(emulated).Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, m) })
	return m
}

func end(t *testing.T, m vmm.Machine) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), vmmtest.Limit)
	defer cancel()
	_ = m.Kill(ctx) // fails when the test has closed it
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, m vmm.Machine) net.Conn {
	t.Helper()
	conn, err := m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(vmmtest.Limit))
	return conn
}

// ask sends a line and waits for another one.
func ask(t *testing.T, conn net.Conn, line, want string) {
	t.Helper()
	if _, err := fmt.Fprintln(conn, line); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || got != want+"\n" {
		t.Fatalf("the guest said %q, %v; want %q", got, err, want)
	}
}

// TestDevices: what the guest finds is what the spec says, in its order.
func TestDevices(t *testing.T) {
	kernel, initrd := bootFiles(t)
	spec := newSpec(t, kernel, initrd)
	dir := t.TempDir()
	base := filepath.Join(dir, "a,base")
	content := make([]byte, 1<<20)
	copy(content, "overlaid")
	write(t, base, content)
	clone, err := disk.Clone(t.Context(), base, dir, disk.Options{SizeBytes: 3 << 20, AllowOverlay: true})
	if err != nil {
		t.Fatal(err)
	}
	root := vmm.Disk{Path: clone.Path, Format: clone.Format}
	if clone.Format == vmm.Qcow2 {
		root.Backing = base
	}
	spec.Disks = []vmm.Disk{root}
	for i, name := range []string{"second--", "third---"} {
		file := filepath.Join(dir, name)
		body := make([]byte, (i+4)<<20)
		copy(body, name)
		write(t, file, body)
		spec.Disks = append(spec.Disks, vmm.Disk{Path: file, Format: vmm.Raw, ReadOnly: i == 1})
	}
	spec.Network, spec.MAC, spec.CPUs = model.NetUser, "52:54:00:01:02:03", 2
	conn := dial(t, start(t, spec))
	ask(t, conn, "up", "up")
	wantConsole(t, spec.Console,
		"DISK vda disk0 6144 ro=0 overlaid",
		"DISK vdb disk1 8192 ro=0 second--",
		"DISK vdc disk2 10240 ro=1 third---",
		"CARD 52:54:00:01:02:03", "RNG virtio_rng", "PORT banger.agent")
	ask(t, conn, "fetch", "reached")
}

func wantConsole(t *testing.T, file string, want ...string) {
	t.Helper()
	tail, _, err := console.Tail(file, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(string(tail), w) {
			t.Errorf("the console does not say %q", w)
		}
	}
}

// TestPanicResets: with init gone the kernel panics, and QEMU ends.
func TestPanicResets(t *testing.T) {
	kernel, initrd := bootFiles(t)
	spec := newSpec(t, kernel, initrd)
	m := start(t, spec)
	if _, err := fmt.Fprintln(dial(t, m), "panic"); err != nil {
		t.Fatal(err)
	}
	exit, err := m.Wait(t.Context())
	if err != nil || exit.Reason != vmm.ExitReset || exit.Detail != "guest-reset" {
		t.Errorf("exit %+v, %v", exit, err)
	}
	wantConsole(t, spec.Console, "Kernel panic")
}

// TestTrimmedConsole: QEMU goes on appending to a console that is trimmed.
func TestTrimmedConsole(t *testing.T) {
	kernel, initrd := bootFiles(t)
	spec := newSpec(t, kernel, initrd)
	conn := dial(t, start(t, spec))
	for range 2 {
		ask(t, conn, "grow", "grown")
		if err := console.Trim(spec.Console, 64<<10); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
	}
	tail, next, err := console.Tail(spec.Console, 2000)
	if err != nil || next < 2*20000*7 {
		t.Fatalf("the console ends at %d, %v", next, err)
	}
	lines := regexp.MustCompile(`1[0-9]{5}`).FindAllString(string(tail), -1)
	if len(lines) != 2000 || lines[0] != "118001" || lines[1999] != "120000" {
		t.Errorf("%d lines from %.40q on", len(lines), tail)
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

// TestConfinement reads what the kernel says of the process.
func TestConfinement(t *testing.T) {
	kernel, initrd := bootFiles(t)
	m := start(t, newSpec(t, kernel, initrd))
	pid := m.Record().Process.PID
	status := string(read(t, fmt.Sprintf("/proc/%d/status", pid)))
	for _, want := range []string{"Seccomp:\t2\n", "NoNewPrivs:\t1\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in its status", want)
		}
	}
	if env := read(t, fmt.Sprintf("/proc/%d/environ", pid)); len(env) > 0 {
		t.Errorf("environment %q", env)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != "/" {
		t.Errorf("working directory %q, %v", cwd, err)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d of process %d, %v", sid, pid, err)
	}
	if !strings.Contains(string(read(t, fmt.Sprintf("/proc/%d/limits", pid))), "Max core file size        0 ") {
		t.Error("it may dump core")
	}
}

// TestStartWithoutRecord: a daemon died between starting a VM and storing
// its record. The next one finds the process by the run directory.
func TestStartWithoutRecord(t *testing.T) {
	kernel, initrd := bootFiles(t)
	m := start(t, newSpec(t, kernel, initrd))
	rec := m.Record()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	rec.Process = model.ProcessID{}
	again, err := qemu.New(emulated).Attach(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, again) })
	if again.Record() != m.Record() {
		t.Errorf("record %+v, was %+v", again.Record(), m.Record())
	}
	if err := again.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := qemu.New(emulated).Attach(t.Context(), rec); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("after its end: %v", err)
	}
}

// TestUnresponsiveProcessIsNotGone: a stopped process says nothing, and
// nothing is known of it.
func TestUnresponsiveProcessIsNotGone(t *testing.T) {
	kernel, initrd := bootFiles(t)
	m := start(t, newSpec(t, kernel, initrd))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	process, err := proc.Open(m.Record().Process)
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close()
	if err := process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	impatient := emulated
	impatient.StartLimit = 100 * time.Millisecond
	if _, err := qemu.New(impatient).Attach(t.Context(), m.Record()); err == nil || errors.Is(err, vmm.ErrGone) {
		t.Errorf("attaching to a stopped process: %v", err)
	}
	if err := process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	again, err := qemu.New(emulated).Attach(t.Context(), m.Record())
	if err != nil {
		t.Fatal(err)
	}
	end(t, again)
}

// TestNothingLeaks counts descriptors before and after some lives of a VM;
// goleak counts goroutines at the end of all tests.
func TestNothingLeaks(t *testing.T) {
	kernel, initrd := bootFiles(t)
	life := func() {
		m, err := qemu.New(emulated).Start(t.Context(), newSpec(t, kernel, initrd))
		if err != nil {
			t.Fatal(err)
		}
		end(t, m)
		if _, err := proc.Identify(m.Record().Process.PID); !errors.Is(err, proc.ErrGone) {
			t.Errorf("the process was not reaped: %v", err)
		}
	}
	life() // the runtime opens some of its own
	before := descriptors(t)
	for range 3 {
		life()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, were %d", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// recordEnv makes the test binary another daemon: see TestAnotherDaemon.
const recordEnv = "BANGER_TEST_RECORD"

// TestAnotherDaemon lets a second process attach, which is not the parent of
// the VM's.
func TestAnotherDaemon(t *testing.T) {
	if rec := os.Getenv(recordEnv); rec != "" {
		beAnotherDaemon(t, rec)
		return
	}
	kernel, initrd := bootFiles(t)
	m := start(t, newSpec(t, kernel, initrd))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	rec, err := json.Marshal(m.Record())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAnotherDaemon$", "-test.v")
	cmd.Env = append(os.Environ(), recordEnv+"="+string(rec))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestAnotherDaemon") {
		t.Errorf("the other daemon: %v\n%s", err, out)
	}
	if _, err := qemu.New(emulated).Attach(t.Context(), m.Record()); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("after its end: %v", err)
	}
}

func beAnotherDaemon(t *testing.T, recJSON string) {
	var rec vmm.Record
	if err := json.Unmarshal([]byte(recJSON), &rec); err != nil {
		t.Fatal(err)
	}
	m, err := qemu.New(emulated).Attach(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, m) })
	conn := dial(t, m)
	ask(t, conn, "hello", "hello")
	if _, err := fmt.Fprintln(conn, vmmtest.LinePoweroff); err != nil {
		t.Fatal(err)
	}
	exit, err := m.Wait(t.Context())
	if err != nil || exit.Reason != vmm.ExitPoweroff {
		t.Errorf("exit %+v, %v", exit, err)
	}
}

func write(t *testing.T, file string, body []byte) {
	t.Helper()
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
}
