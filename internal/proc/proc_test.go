package proc_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/proc"
)

// sleeper starts a child that is killed at the end of the test. Nobody but
// the code under test waits for it.
func sleeper(t *testing.T) model.ProcessID {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := proc.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
	})
	return id
}

func open(t *testing.T, id model.ProcessID) *proc.Process {
	t.Helper()
	p, err := proc.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	a, b := sleeper(t), sleeper(t)
	self, err := proc.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	again, err := proc.Identify(a.PID)
	if err != nil || again != a {
		t.Errorf("second look: %+v, %v; first %+v", again, err, a)
	}
	if a.BootID == "" || a.BootID != b.BootID || a.PID == b.PID || a.Start < self.Start || b.Start < a.Start {
		t.Errorf("identities %+v, %+v, own %+v", a, b, self)
	}
	if _, err := proc.Identify(1 << 30); !errors.Is(err, proc.ErrGone) {
		t.Errorf("of no process: %v", err)
	}
}

// TestDecoyIsNotOpened: another process with the number of one that ended.
func TestDecoyIsNotOpened(t *testing.T) {
	t.Parallel()
	decoy := sleeper(t)
	for name, change := range map[string]func(*model.ProcessID){
		"started earlier": func(id *model.ProcessID) { id.Start-- },
		"started later":   func(id *model.ProcessID) { id.Start++ },
		"earlier boot":    func(id *model.ProcessID) { id.BootID = "0b7e0b7e-0000-4000-8000-000000000000" },
		"no such number":  func(id *model.ProcessID) { id.PID = 1 << 30 },
	} {
		id := decoy
		change(&id)
		if _, err := proc.Open(id); !errors.Is(err, proc.ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	open(t, decoy)
}

// TestNumberOfAThread: the number of a process that ended is a thread's now.
func TestNumberOfAThread(t *testing.T) {
	t.Parallel()
	id, err := proc.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, thread := range threads {
		number, err := strconv.Atoi(thread.Name())
		if err != nil || number == id.PID {
			continue
		}
		id := id
		id.PID = number
		if _, err := proc.Open(id); !errors.Is(err, proc.ErrGone) {
			t.Errorf("thread %d: %v", number, err)
		}
		tried++
	}
	if tried == 0 {
		t.Error("this process has one thread alone")
	}
}

func TestIncompleteIdentityIsNotGone(t *testing.T) {
	t.Parallel()
	self, err := proc.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []model.ProcessID{{}, {PID: self.PID}, {PID: self.PID, BootID: self.BootID}, {BootID: self.BootID, Start: self.Start, PID: -1}} {
		if _, err := proc.Open(id); err == nil || errors.Is(err, proc.ErrGone) {
			t.Errorf("%+v: %v", id, err)
		}
	}
}

func TestSignalAndWaitForChild(t *testing.T) {
	t.Parallel()
	p := open(t, sleeper(t))
	waited := make(chan proc.Status, 2)
	for range 2 {
		go func() {
			st, err := p.Wait(t.Context())
			if err != nil {
				t.Error(err)
			}
			waited <- st
		}()
	}
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// One of the two reaps the child and learns its status.
	a, b := <-waited, <-waited
	if a.Known == b.Known || max(a.Signal, b.Signal) != unix.SIGTERM {
		t.Errorf("statuses %+v and %+v", a, b)
	}
	if err := p.Signal(unix.SIGTERM); !errors.Is(err, proc.ErrGone) {
		t.Errorf("signalling it again: %v", err)
	}
	if _, err := proc.Open(p.ID()); !errors.Is(err, proc.ErrGone) {
		t.Errorf("opening it again: %v", err)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read x; exit 5")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := proc.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, id)
	_ = stdin.Close()
	st, err := p.Wait(t.Context())
	if err != nil || st != (proc.Status{Known: true, Code: 5}) {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestZombieIsGone(t *testing.T) {
	t.Parallel()
	id := sleeper(t)
	if err := unix.Kill(id.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(id.PID) + "/stat")
		return err == nil && strings.Contains(string(stat), ") Z ")
	})
	if _, err := proc.Open(id); !errors.Is(err, proc.ErrGone) {
		t.Errorf("opening a zombie: %v", err)
	}
	if _, err := proc.Identify(id.PID); !errors.Is(err, proc.ErrGone) {
		t.Errorf("the zombie was not reaped: %v", err)
	}
}

func TestWaitForProcessThatIsNoChild(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := proc.Identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, id)
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if st, err := p.Wait(t.Context()); err != nil || st.Known {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	p := open(t, sleeper(t))
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := p.Signal(0); err != nil {
		t.Errorf("the process was touched: %v", err)
	}
}

func await(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatal("waited in vain")
}
