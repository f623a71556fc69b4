package run_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"banger/internal/run"
)

// callerEnv makes the test program a caller that runs a script with a grace of
// a second, and nothing else.
const callerEnv = "BANGER_TEST_RUN_SCRIPT"

func TestMain(m *testing.M) {
	if script := os.Getenv(callerEnv); script != "" {
		_, err := run.Command(context.Background(), run.Cmd{Name: "sh", Args: []string{"-c", script}, Grace: time.Second})
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestCommandEndsWithItsCaller kills the caller of a command whose group has a
// process that leaves at SIGTERM and one that does not.
func TestCommandEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	caller := exec.CommandContext(t.Context(), os.Args[0])
	caller.Env = append(os.Environ(), "DIR="+dir, callerEnv+`=
		(trap '' TERM; echo $(exec sh -c 'echo $PPID') >$DIR/stubborn.new; mv $DIR/stubborn.new $DIR/stubborn; sleep 1000; sleep 1000) &
		trap 'echo tidied >$DIR/tidied; exit' TERM
		echo $$ >$DIR/leader.new; mv $DIR/leader.new $DIR/leader
		wait`)
	if err := caller.Start(); err != nil {
		t.Fatal(err)
	}
	leader, stubborn := awaitPID(t, filepath.Join(dir, "leader")), awaitPID(t, filepath.Join(dir, "stubborn"))
	if err := caller.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = caller.Wait()
	awaitGone(t, leader)
	awaitGone(t, stubborn)
	if text, err := os.ReadFile(filepath.Join(dir, "tidied")); err != nil || string(text) != "tidied\n" {
		t.Errorf("the leader had no time to tidy up: %q, %v", text, err)
	}
}

// TestGraceLeavesNothing: what watches over a command is gone with it, and the
// command has no descriptor of it.
func TestGraceLeavesNothing(t *testing.T) {
	t.Parallel()
	c := run.Cmd{Name: "sh", Args: []string{"-c", `echo $$ "$@" $_; ls /proc/self/fd`, "name", "a b", ""}}
	plain, err := run.Command(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	c.Grace = time.Minute
	res, err := run.Command(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(plain.Stdout), " ")
	group, got, _ := strings.Cut(string(res.Stdout), " ")
	if got != want {
		t.Errorf("with a grace the command says %q, without %q", got, want)
	}
	if _, err := strconv.Atoi(group); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); groupRuns(t, group); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("group %s is still there", group)
		}
	}
}

// groupRuns tells whether a process group has a process that is no zombie: the
// first process of a container may never wait for those it inherits.
func groupRuns(t *testing.T, group string) bool {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil { // it has just ended
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ") // proc_pid_stat(5): state, parent, group
		if f := strings.Fields(rest); len(f) > 2 && f[2] == group && f[0] != "Z" {
			return true
		}
	}
	return false
}

func TestOwnMountsEndWithTheCommand(t *testing.T) {
	t.Parallel()
	if !run.CanMount() {
		t.Skip("no right to mount")
	}
	dir := t.TempDir()
	c := sh(`mount -t tmpfs own "$D" && touch "$D/inside" && cat /proc/mounts`)
	c.Env, c.OwnMounts = []string{"D=" + dir}, true
	res, err := run.Command(t.Context(), c)
	if err != nil || !strings.Contains(string(res.Stdout), dir) {
		t.Fatalf("%v, mounts %s", err, res.Stdout)
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("%v, mounts here: %s", err, mounts)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
		t.Errorf("in the directory: %v, %v", found, err)
	}
}
