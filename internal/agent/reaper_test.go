package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"banger/internal/agent"
	"banger/internal/guest"

	"golang.org/x/sys/unix"
)

// reaperEnv is the socket of a process that is a server as init, but for its
// pid: orphans below it become its children.
const reaperEnv = "BANGER_TEST_REAPER"

// TestReaper starts many short processes that leave orphans behind: no exit
// code is lost, and no zombie stays.
func TestReaper(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), reaperEnv+"="+socket)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	await(t, func() bool {
		var err error
		conn, err = (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		return err == nil
	})
	c, err := guest.Connect(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	configure(t, c)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 10 {
				code := (i*10 + j) % 120
				status, err := c.Exec(t.Context(), shell(fmt.Sprintf("(true & true &) >/dev/null; (sleep 0.01 &) >/dev/null; exit %d", code)), guest.Stdio{})
				if err != nil || status.Code != code {
					t.Errorf("%d: %+v, %v", code, status, err)
				}
				if status, err := c.Exec(t.Context(), argv("/etc/passwd"), guest.Stdio{}); err != nil || status.Code != 126 {
					t.Errorf("no program: %+v, %v", status, err)
				}
			}
		})
	}
	wg.Wait()
	await(t, func() bool { // the asking shell alone
		var out bytes.Buffer
		_, err := c.Exec(t.Context(), shell("cat /proc/$PPID/task/*/children | wc -w"), guest.Stdio{Stdout: &out})
		return err == nil && out.String() == "1\n"
	})
	_ = c.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, log.String())
	}
}

// beReaper serves one host and returns the exit code.
func beReaper(socket string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fail(err)
	}
	ctx := context.Background()
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fail(err)
	}
	conn, err := l.Accept()
	if err != nil {
		return fail(err)
	}
	s := agent.NewServer(agent.Options{Init: true})
	_ = s.ServeConn(ctx, conn) // until the host leaves
	if err := s.Close(); err != nil {
		return fail(err)
	}
	return 0
}
