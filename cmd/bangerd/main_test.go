package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/keeper"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/store"
	"banger/internal/vmm/kvm"
)

// asDaemon in the environment makes the test's own executable bangerd.
const asDaemon = "BANGERD_TEST_AS_DAEMON"

func TestMain(m *testing.M) {
	kvm.MaybeProbeChild()
	keeper.MaybeChild()
	if os.Getenv(asDaemon) != "" && !slices.ContainsFunc(os.Args, isTestFlag) {
		main()
		return
	}
	if err := os.Setenv(asDaemon, "1"); err != nil { // for the daemons that Ensure starts
		panic(err)
	}
	os.Exit(m.Run())
}

// isTestFlag tells a test that runs itself again from a daemon.
func isTestFlag(arg string) bool { return strings.HasPrefix(arg, "-test.") }

func testPaths(t *testing.T) model.Paths {
	t.Helper()
	dir := t.TempDir()
	return model.Paths{
		Config: filepath.Join(dir, "config"), State: filepath.Join(dir, "state"),
		Cache: filepath.Join(dir, "cache"), Run: filepath.Join(dir, "run"),
	}
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// ensure starts or finds the daemon and returns a client and its pid. The
// daemon ends with the test.
func ensure(t *testing.T, paths model.Paths) (*rpc.Client, int) {
	t.Helper()
	c, err := rpc.Ensure(t.Context(), paths, self(t))
	if err != nil {
		t.Fatalf("%v (%s)", err, model.HintOf(err))
	}
	t.Cleanup(c.Close)
	info, err := c.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, info.PID, syscall.SIGKILL) })
	return c, info.PID
}

// end signals a daemon of this test and waits until it is gone.
func end(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	_ = syscall.Kill(pid, sig)
	waitFor(t, fmt.Sprintf("the end of %d", pid), func() bool {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	})
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestDaemonIsStartedOnceAndOutlivesItsClient(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	_, first := ensure(t, paths)
	_, second := ensure(t, paths)
	if first != second || first == os.Getpid() {
		t.Errorf("pids %d and %d", first, second)
	}
	if sid, err := unix.Getsid(first); err != nil || sid != first {
		t.Errorf("session %d of daemon %d, %v", sid, first, err)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", first)); err != nil || cwd != "/" {
		t.Errorf("working directory %q, %v", cwd, err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/fd/3", first))
	if err == nil && len(env) > 0 {
		t.Error("the readiness pipe is still open")
	}
	log, err := os.ReadFile(paths.DaemonLog())
	if err != nil || !strings.Contains(string(log), "ready") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestManyClientsAtOnceShareOneDaemon(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	pids := make([]int, 6)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() {
			c, err := rpc.Ensure(t.Context(), paths, self(t))
			if err != nil {
				t.Errorf("Ensure = %v", err)
				return
			}
			defer c.Close()
			info, err := c.Version(t.Context())
			if err != nil {
				t.Error(err)
			}
			pids[i] = info.PID
		})
	}
	wg.Wait()
	t.Cleanup(func() { end(t, pids[0], syscall.SIGKILL) })
	for _, pid := range pids {
		if pid == 0 || pid != pids[0] {
			t.Fatalf("pids %v", pids)
		}
	}
}

func TestKilledDaemonIsReplacedAndItsOperationsAreInterrupted(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	for range 3 {
		_, pid := ensure(t, paths)
		end(t, pid, syscall.SIGKILL)
		if _, err := os.Lstat(paths.Socket()); err != nil {
			t.Errorf("a killed daemon leaves its socket: %v", err)
		}
	}
	db, err := store.Open(t.Context(), paths.DB())
	if err != nil {
		t.Fatal(err)
	}
	lost := model.Operation{ID: "01", Kind: "image.pull", State: model.OpRunning, Stages: []model.Stage{}}
	if err := errors.Join(db.SaveOperations(t.Context(), []model.Operation{lost}, 10), db.Close()); err != nil {
		t.Fatal(err)
	}
	c, _ := ensure(t, paths)
	ops, err := c.ListOperations(t.Context())
	if err != nil || len(ops) != 1 || ops[0].State != model.OpInterrupted {
		t.Errorf("operations %+v, %v", ops, err)
	}
}

func TestDaemonEndsInGoodOrder(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(t *testing.T, c *rpc.Client, pid int){
		"shutdown": func(t *testing.T, c *rpc.Client, _ int) {
			if err := c.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"SIGTERM": func(_ *testing.T, _ *rpc.Client, pid int) { _ = syscall.Kill(pid, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := testPaths(t)
			c, pid := ensure(t, paths)
			stop(t, c, pid)
			end(t, pid, 0)
			if _, err := os.Lstat(paths.Socket()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is left: %v", err)
			}
			if _, err := os.Stat(paths.DB() + "-wal"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the database was not closed: %v", err)
			}
		})
	}
}

func TestSecondDaemonOfOneStateIsRefused(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	_, pid := ensure(t, paths)
	paths.Run = filepath.Join(t.TempDir(), "elsewhere")
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"-config", paths.Config, "-state", paths.State, "-cache", paths.Cache, "-run", paths.Run}, nil, &stderr)
	want := fmt.Sprintf("bangerd: another bangerd (pid %d) uses %s\nbangerd: `banger system shutdown`", pid, paths.State)
	if code != 1 || !strings.HasPrefix(stderr.String(), want) {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}

func TestDaemonThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		exe   func(t *testing.T, paths model.Paths) string
		code  model.Code
		parts []string
		hint  string
	}{
		"newer database": {func(t *testing.T, paths model.Paths) string {
			newerDatabase(t, paths)
			return self(t)
		}, model.CodeUnsupported, []string{"written by a newer banger"}, "install the newer banger"},
		"socket path too long": {func(t *testing.T, paths model.Paths) string {
			return script(t, `exec `+self(t)+` "$@" -run `+filepath.Join(paths.Run, strings.Repeat("x", 100)))
		}, model.CodeInvalid, []string{"at most 107"}, "shorter directory"},
		"silent end": {func(t *testing.T, _ model.Paths) string { return script(t, "exit 3") },
			model.CodeUnreachable, []string{"bangerd ended while it was starting"}, "daemon.log"},
		"last words": {func(t *testing.T, _ model.Paths) string {
			return script(t, "echo first; echo panic: \x1b[31mbroken >&2; exit 2")
		}, model.CodeUnreachable, []string{"\n  first\n  panic: ", "broken"}, "daemon.log"},
		"not to be found": {func(t *testing.T, _ model.Paths) string { return filepath.Join(t.TempDir(), "bangerd") },
			model.CodeUnreachable, []string{"is not there to be started"}, "install bangerd"},
		"not a program": {func(t *testing.T, _ model.Paths) string { return "/etc/passwd" },
			model.CodeUnreachable, []string{"bangerd", "permission denied"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := testPaths(t)
			_, err := rpc.Ensure(t.Context(), paths, tc.exe(t, paths))
			if model.CodeOf(err) != tc.code || !strings.Contains(model.HintOf(err), tc.hint) {
				t.Fatalf("%s: %v (%s)", model.CodeOf(err), err, model.HintOf(err))
			}
			for _, part := range tc.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not tell %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%q has a control character of the log", err)
			}
		})
	}
}

// TestReachStartsTheDaemonForACall: a call with standard input and output
// needs no question before it.
func TestReachStartsTheDaemonForACall(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	c := rpc.Reach(paths, self(t))
	t.Cleanup(c.Close)
	if _, err := exec(t, c); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("ExecVM of a VM that is not there: %v", err)
	}
	ensure(t, paths) // ends it with the test
	if _, err := exec(t, c); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("a second ExecVM: %v", err)
	}
}

func TestReachOfADaemonThatCannotStart(t *testing.T) {
	t.Parallel()
	c := rpc.Reach(testPaths(t), script(t, "exit 3"))
	if _, err := exec(t, c); model.CodeOf(err) != model.CodeUnreachable || !strings.Contains(err.Error(), "ended while it was starting") {
		t.Errorf("ExecVM: %v", err)
	}
}

func TestReachGivesUpOnADaemonThatHangs(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	_, pid := ensure(t, paths)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the stop", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	_, err := exec(t, rpc.Reach(paths, self(t)))
	if model.CodeOf(err) != model.CodeUnreachable || !strings.Contains(model.HintOf(err), paths.DaemonLog()) {
		t.Errorf("ExecVM: %v (%s)", err, model.HintOf(err))
	}
}

func exec(t *testing.T, c *rpc.Client) (model.ExitStatus, error) {
	t.Helper()
	return c.ExecVM(t.Context(), rpc.VMExecParams{Name: "nobody", Argv: []string{"true"}}, rpc.Stdio{}, func(model.Progress) {})
}

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bangerd")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func newerDatabase(t *testing.T, paths model.Paths) {
	t.Helper()
	if err := os.MkdirAll(paths.State, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", paths.DB())
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "PRAGMA application_id = 1651402610; PRAGMA user_version = 99; CREATE TABLE t (a)")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestEnsureEndsWithItsContext(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	exe := script(t, "echo $$ >"+pidFile+".new; mv "+pidFile+".new "+pidFile+"; exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := rpc.Ensure(ctx, paths, exe)
		failed <- err
	}()
	waitFor(t, "the start", func() bool { _, err := os.Stat(pidFile); return err == nil })
	cancel()
	if err := <-failed; model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("Ensure = %v", err)
	}
	text, err := os.ReadFile(pidFile)
	var pid int
	if _, scanErr := fmt.Sscan(string(text), &pid); err != nil || scanErr != nil {
		t.Fatal(err, scanErr)
	}
	end(t, pid, syscall.SIGKILL)
}

func TestLongLogIsPutAside(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	if err := os.MkdirAll(paths.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths.DaemonLog(), make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ensure(t, paths)
	for path, most := range map[string]int64{paths.DaemonLog(): 10 << 10, paths.DaemonLog() + ".1": 5 << 20} {
		if info, err := os.Stat(path); err != nil || info.Size() > most || info.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"version":       {[]string{"-version"}, 0, "bangerd dev (commit unknown", ""},
		"help":          {[]string{"-help"}, 0, "", "Usage of bangerd"},
		"unknown flag":  {[]string{"-x"}, 2, "", "reading the command line"},
		"argument":      {[]string{"x"}, 2, "", `unexpected argument "x"`},
		"relative path": {[]string{"-state", "x"}, 2, "", "an absolute path is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tc.args, &stdout, &stderr); code != tc.code {
				t.Errorf("exit %d", code)
			}
			if !strings.HasPrefix(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
				t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
			}
		})
	}
}
