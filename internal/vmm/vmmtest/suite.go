package vmmtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"banger/internal/vmm"
)

// Limit bounds each wait of the suite. An emulated guest on a loaded host may
// take most of it to boot.
const Limit = 2 * time.Minute

// What a guest of the suite does with a line that it reads from the agent's
// port. It sends any other line back.
const (
	LinePoweroff = "poweroff" // switches itself off
	LineReset    = "reset"    // reboots
)

// Subject is a driver under test.
type Subject struct {
	// Driver returns a driver as a new daemon makes it. All of them see the
	// same VMs.
	Driver func(t *testing.T) vmm.Driver
	// Spec returns the spec of a guest that speaks the lines above. Each has
	// its own ids and directories, and is good for one start.
	Spec func(t *testing.T) vmm.Spec
}

// Run checks the contract of package vmm.
func Run(t *testing.T, s Subject) {
	t.Run("Features", s.features)
	t.Run("Life", s.life)
	t.Run("OneConnection", s.oneConnection)
	t.Run("Pause", s.pause)
	t.Run("Usage", s.usage)
	t.Run("Console", s.console)
	t.Run("ResizeDisk", s.resizeDisk)
	t.Run("Reset", s.reset)
	t.Run("Kill", s.kill)
	t.Run("NextDaemon", s.nextDaemon)
	t.Run("AnotherProcess", s.anotherProcess)
	t.Run("FailedStart", s.failedStart)
}

func (s Subject) features(t *testing.T) {
	f, err := s.Driver(t).Features(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.Driver == "" || f.Accel == "" || f.Version == "" {
		t.Errorf("incomplete: %+v", f)
	}
}

// life: start, talk, power off. The context of Start does not matter later.
func (s Subject) life(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	spec := s.Spec(t)
	m, err := s.Driver(t).Start(ctx, spec)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, m)
	rec := m.Record()
	if rec.ID != spec.ID || rec.Generation != spec.Generation || rec.RunDir != spec.RunDir || rec.Process.PID == 0 {
		t.Errorf("record %+v", rec)
	}
	conn := dial(t, m)
	echo(t, conn, "hello")
	send(t, conn, LinePoweroff)
	wantExit(t, m, vmm.ExitPoweroff)
	if _, err := m.Dial(limited(t)); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("Dial after the end: %v", err)
	}
	if err := m.Kill(limited(t)); err != nil {
		t.Errorf("Kill after the end: %v", err)
	}
	wantExit(t, m, vmm.ExitPoweroff)
}

// oneConnection: the second Dial waits for the end of the first connection.
func (s Subject) oneConnection(t *testing.T) {
	m := start(t, s.Driver(t), s.Spec(t))
	first := dial(t, m)
	echo(t, first, "first")
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Dial(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second Dial: %v", err)
	}
	go func() { _ = first.Close() }()
	second, err := m.Dial(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = first.Close() // once more: must not let a third one in
	short, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Dial(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("third Dial: %v", err)
	}
	echoAfterReconnect(t, second)
}

// pause: a paused guest takes nothing, and goes on where it was.
func (s Subject) pause(t *testing.T) {
	d := s.Driver(t)
	if f, err := d.Features(t.Context()); err != nil || !f.Pause {
		t.Skipf("the driver cannot pause: %v", err)
	}
	m := start(t, d, s.Spec(t))
	conn := dial(t, m)
	echo(t, conn, "before")
	if err := m.Pause(limited(t)); err != nil {
		t.Fatal(err)
	}
	send(t, conn, "while paused")
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if line, err := readLine(conn); err == nil {
		t.Errorf("a paused guest said %q", line)
	}
	if err := m.Resume(limited(t)); err != nil {
		t.Fatal(err)
	}
	wantLine(t, conn, "while paused")
}

// console: one connection at a time, beside that to the agent; its end is not
// the guest's.
func (s Subject) console(t *testing.T) {
	m := start(t, s.Driver(t), s.Spec(t))
	conn := dial(t, m)
	first, err := m.Console(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte("\n")); err != nil {
		t.Error(err)
	}
	go func() { _, _ = io.Copy(io.Discard, first) }()
	echo(t, conn, "beside the console")
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Console(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second connection: %v", err)
	}
	_ = first.Close()
	second, err := m.Console(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
	echo(t, conn, "on without it")
	if err := m.Kill(limited(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Console(limited(t)); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("after the end: %v", err)
	}
}

// usage: there are figures, of each disk too, and none goes back.
func (s Subject) usage(t *testing.T) {
	spec := s.Spec(t)
	m := start(t, s.Driver(t), spec)
	conn := dial(t, m)
	echo(t, conn, "up")
	first, err := m.Usage(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	echo(t, conn, "on")
	second, err := m.Usage(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	if first.CPU <= 0 || first.MemoryBytes <= 0 || len(first.Disks) != len(spec.Disks) || second.CPU < first.CPU {
		t.Errorf("first %+v, then %+v", first, second)
	}
	if err := m.Kill(limited(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Usage(limited(t)); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("after the end: %v", err)
	}
}

func (s Subject) reset(t *testing.T) {
	m := start(t, s.Driver(t), s.Spec(t))
	conn := dial(t, m)
	echo(t, conn, "up")
	send(t, conn, LineReset)
	wantExit(t, m, vmm.ExitReset)
}

// resizeDisk: a raw disk grows under a guest that goes on.
func (s Subject) resizeDisk(t *testing.T) {
	spec := s.Spec(t)
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	spec.Disks = append(spec.Disks, vmm.Disk{Path: file, Format: vmm.Raw})
	m := start(t, s.Driver(t), spec)
	last := len(spec.Disks) - 1
	if err := m.ResizeDisk(limited(t), last, 3<<20); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 3<<20 {
		t.Errorf("the disk: %+v, %v", info, err)
	}
	if err := m.ResizeDisk(limited(t), last+1, 3<<20); err == nil || errors.Is(err, vmm.ErrGone) {
		t.Errorf("a disk that there is not: %v", err)
	}
	echo(t, dial(t, m), "unharmed")
}

func (s Subject) kill(t *testing.T) {
	d := s.Driver(t)
	m := start(t, d, s.Spec(t))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Wait(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	if err := m.Kill(limited(t)); err != nil {
		t.Fatal(err)
	}
	wantExit(t, m, vmm.ExitKilled)
	if err := m.Pause(limited(t)); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("Pause after the end: %v", err)
	}
	if _, err := d.Attach(limited(t), m.Record()); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("Attach after the end: %v", err)
	}
}

// nextDaemon: a daemon lets go of a VM, the next one finds it by its record,
// as read back from disk.
func (s Subject) nextDaemon(t *testing.T) {
	m := start(t, s.Driver(t), s.Spec(t))
	conn := dial(t, m)
	echo(t, conn, "one")
	_ = conn.Close()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Wait(limited(t)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait after Close: %v", err)
	}
	next, err := s.Driver(t).Attach(limited(t), reread(t, m.Record()))
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, next)
	if next.Record() != m.Record() {
		t.Errorf("record %+v, was %+v", next.Record(), m.Record())
	}
	conn = dial(t, next)
	echoAfterReconnect(t, conn)
	send(t, conn, LinePoweroff)
	wantExit(t, next, vmm.ExitPoweroff)
}

// anotherProcess: records that are almost right lead to no machine, and harm
// nobody.
func (s Subject) anotherProcess(t *testing.T) {
	d := s.Driver(t)
	m := start(t, d, s.Spec(t))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	rec := m.Record()
	rec.Process.Start++ // the number was given to another process
	if _, err := d.Attach(limited(t), rec); !errors.Is(err, vmm.ErrGone) {
		t.Errorf("another start time: %v", err)
	}
	rec = m.Record()
	rec.Generation += "x"
	if _, err := d.Attach(limited(t), rec); err == nil || errors.Is(err, vmm.ErrGone) {
		t.Errorf("another generation: %v", err)
	}
	again, err := d.Attach(limited(t), m.Record())
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, again)
	echo(t, dial(t, again), "unharmed")
}

// failedStart: an error leaves nothing in the run directory.
func (s Subject) failedStart(t *testing.T) {
	spec := s.Spec(t)
	spec.Kernel = filepath.Join(t.TempDir(), "no-such-kernel")
	if m, err := s.Driver(t).Start(limited(t), spec); err == nil {
		endWith(t, m)
		t.Fatal("a missing kernel was started")
	}
	left, err := os.ReadDir(spec.RunDir)
	if err != nil || len(left) > 0 {
		t.Errorf("in the run directory: %v, %v", left, err)
	}
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, d vmm.Driver, spec vmm.Spec) vmm.Machine {
	t.Helper()
	m, err := d.Start(limited(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endRecord(t, d, m.Record()) }) // after endWith
	endWith(t, m)
	return m
}

// endWith kills m at the end of the test.
func endWith(t *testing.T, m vmm.Machine) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
		defer cancel()
		_ = m.Kill(ctx) // closed or gone: endRecord is for the first
		_ = m.Close()
	})
}

// endRecord kills a VM whose machine was closed and not attached again.
func endRecord(t *testing.T, d vmm.Driver, rec vmm.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
	defer cancel()
	m, err := d.Attach(ctx, rec)
	if err != nil {
		return
	}
	_ = m.Kill(ctx)
	_ = m.Close()
}

func dial(t *testing.T, m vmm.Machine) net.Conn {
	t.Helper()
	conn, err := m.Dial(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	_ = conn.SetWriteDeadline(time.Now().Add(Limit))
	if _, err := fmt.Fprintln(conn, line); err != nil {
		t.Fatal(err)
	}
}

func echo(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	send(t, conn, line)
	wantLine(t, conn, line)
}

// echoAfterReconnect says something until it comes back: a guest that has
// not noticed yet that the last connection is gone may lose what the next
// one says first.
func echoAfterReconnect(t *testing.T, conn net.Conn) {
	t.Helper()
	ended := time.Now().Add(Limit)
	for i := 0; time.Now().Before(ended); i++ {
		send(t, conn, fmt.Sprint("again ", i))
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		for {
			line, err := readLine(conn)
			if err != nil {
				break
			}
			if line == fmt.Sprint("again ", i) {
				return
			}
		}
	}
	t.Fatal("the guest did not answer a second connection")
}

func wantLine(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(Limit))
	got, err := readLine(conn)
	if err != nil || got != want {
		t.Fatalf("the guest said %q, %v; want %q", got, err, want)
	}
}

// readLine reads up to the next newline and not beyond.
func readLine(conn net.Conn) (string, error) {
	line, err := bufio.NewReaderSize(oneByte{conn}, 16).ReadString('\n')
	if err != nil {
		return line, err
	}
	return line[:len(line)-1], nil
}

type oneByte struct{ net.Conn }

func (o oneByte) Read(p []byte) (int, error) { return o.Conn.Read(p[:1]) }

func wantExit(t *testing.T, m vmm.Machine, want vmm.ExitReason) {
	t.Helper()
	exit, err := m.Wait(limited(t))
	if err != nil || exit.Reason != want || exit.Detail == "" || exit.At.IsZero() {
		t.Fatalf("exit %+v, %v; want %s", exit, err, want)
	}
}

// reread returns rec as it comes back from JSON.
func reread(t *testing.T, rec vmm.Record) vmm.Record {
	t.Helper()
	b, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	var back vmm.Record
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}
