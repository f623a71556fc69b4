package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"banger/internal/keeper"
)

func TestMain(m *testing.M) {
	keeper.MaybeChild()
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("banger/internal/keeper.(*Keeper).await")) // waits for a process
}

// rig is a home whose daemon is the test: it has the lock, or not.
type rig struct {
	t      *testing.T
	cfg    keeper.Config
	daemon *os.File
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, cfg: keeper.Config{
		Alive: filepath.Join(dir, "alive.lock"), Lock: filepath.Join(dir, "keeper.lock"), Runs: []string{filepath.Join(dir, "vm")},
		Consoles: []keeper.Console{{Dir: filepath.Join(dir, "vms[*"), File: "console.log"}}, Interval: 5 * time.Millisecond, Keep: 64 << 10,
	}}
	var err error
	if r.daemon, err = keeper.Hold(t.Context(), r.cfg.Alive); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.daemon.Close() })
	return r
}

func (r *rig) lock(how int) {
	r.t.Helper()
	if err := unix.Flock(int(r.daemon.Fd()), how); err != nil {
		r.t.Fatal(err)
	}
}

// runs tells whether there is a keeper.
func (r *rig) runs() bool {
	r.t.Helper()
	f, err := os.Open(r.cfg.Lock)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

func (r *rig) await(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("still not: ", what)
		}
	}
}

func (r *rig) ensure() {
	r.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := keeper.New(r.cfg, exe).Ensure(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.await("there is a keeper", r.runs)
}

// vm starts a process that has a path below the runs on its command line, and
// makes a console of 1 MiB.
func (r *rig) vm() (console string, end func()) {
	r.t.Helper()
	console = filepath.Join(r.cfg.Consoles[0].Dir, "a/console.log")
	if err := os.MkdirAll(filepath.Dir(console), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(console, bytes.Repeat([]byte("line\n"), 200<<10), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), "sh", "-c", "read end", filepath.Join(r.cfg.Runs[0], "g/qmp.sock"))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	end = func() { _ = stdin.Close(); _ = cmd.Wait() }
	r.t.Cleanup(end)
	return console, end
}

func blocks(t *testing.T, file string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// TestKeeper: while there is a daemon nothing is trimmed; then it is; with the
// last VM the keeper ends.
func TestKeeper(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	console, end := r.vm()
	r.ensure()
	r.ensure() // the next daemon asks too
	if blocks(t, console) < 1000*1000 {
		t.Error("trimmed beside a daemon")
	}
	r.lock(unix.LOCK_UN)
	r.await("the console is short", func() bool { return blocks(t, console) <= r.cfg.Keep+64<<10 })
	tail, err := os.ReadFile(console)
	if err != nil || !strings.HasSuffix(string(tail), "line\nline\n") {
		t.Errorf("the end of the console is lost: %v", err)
	}
	r.lock(unix.LOCK_EX) // a daemon is there again, and the keeper lets it be
	if !r.runs() {
		t.Error("the keeper has gone while a VM runs")
	}
	end()
	r.lock(unix.LOCK_UN)
	r.await("it has ended", func() bool { return !r.runs() })
}

// TestKeeperAfterADaemon: one that finds VMs sees to it that there is a keeper,
// and again when that was killed.
func TestKeeperAfterADaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(r.cfg, exe)
	if err := k.Recover(t.Context()); err != nil || r.runs() {
		t.Errorf("without a VM: %v, a keeper runs: %v", err, r.runs())
	}
	_, end := r.vm()
	for range 2 {
		r.await("there is a keeper", func() bool { return k.Recover(t.Context()) == nil && r.runs() })
		r.lock(unix.LOCK_UN)
		end()
		r.await("it has ended", func() bool { return !r.runs() })
		r.lock(unix.LOCK_EX)
		_, end = r.vm()
	}
	second, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := keeper.Hold(second, r.cfg.Alive); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second daemon: %v", err)
	}
}

// TestKeeperWithoutVMs ends with the daemon.
func TestKeeperWithoutVMs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ensure()
	r.lock(unix.LOCK_UN)
	r.await("it has ended", func() bool { return !r.runs() })
}

// TestKeeperOfABadHome is told, and a nil Keeper keeps nothing.
func TestKeeperOfABadHome(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := keeper.New(r.cfg, "/nonexistent").Ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "keeper") {
		t.Errorf("got %v", err)
	}
	var none *keeper.Keeper
	if err := none.Ensure(t.Context()); err != nil {
		t.Error(err)
	}
	if r.runs() {
		t.Error("a keeper runs")
	}
}
