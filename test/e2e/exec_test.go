package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
)

func TestExec(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	w.home.vm(t, "exec", "busybox")
	for _, tt := range []struct {
		what, script, stdout, stderr string
		code                         int
	}{
		{"streams apart", "echo out; echo err >&2", "out\n", "err\n", 0},
		{"status", "exit 3", "", "", 3},
		{"signal", "kill -TERM $$", "", "", 143},
		{"kill", "kill -KILL $$", "", "", 137},
		{"no input", "cat; echo end", "end\n", "", 0},
		{"not a terminal", "tty; true", "not a tty\n", "", 0},
		{"arguments are kept", `echo "$0"`, "sh\n", "", 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			want := result{code: tt.code, stdout: tt.stdout, stderr: tt.stderr}
			got := w.home.try(t, "exec", "exec", "--", "sh", "-c", tt.script)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("odd arguments", func(t *testing.T) {
		argv := []string{"", " a  b ", "$HOME", "'", `"`, "-x", "--", "ü\n"}
		got := w.home.ok(t, append([]string{"exec", "exec", "--", "sh", "-c", `for a; do echo "[$a]"; done`, "sh"}, argv...)...)
		if want := "[" + strings.Join(argv, "]\n[") + "]\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("large input and output", func(t *testing.T) { testLargeInput(t, w.home) })
	t.Run("more output than anyone reads", func(t *testing.T) { testReaderThatLeaves(t, w.home) })
	t.Run("signals are passed on", func(t *testing.T) { testSignals(t, w.home) })
	t.Run("terminal", func(t *testing.T) { testTerminal(t, w.home) })
	t.Run("detached", func(t *testing.T) { testDetached(t, w.home) })
	t.Run("timer slack", func(t *testing.T) { testTimerSlack(t, w.home) })
	t.Run("JSON", func(t *testing.T) { testExecJSON(t, w.home) })
}

// testTimerSlack: of the agent's threads one is woken late, of a command's none.
func testTimerSlack(t *testing.T, h *home) {
	got := h.ok(t, "exec", "exec", "--", "sh", "-c",
		`for t in /proc/1/task/*; do cat /proc/${t##*/}/timerslack_ns; done | grep -vc '^50000$'; cat /proc/self/timerslack_ns`)
	if want := "1\n50000\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testLargeInput(t *testing.T, h *home) {
	input := make([]byte, 3<<20+17)
	_, _ = rand.Read(input) // never fails
	ctx := boundedContext(t)
	r := finish(h.command(ctx, "exec", "-i", "exec", "--", "cat"), bytes.NewReader(input))
	if r.code != 0 || r.stdout != string(input) {
		t.Errorf("exit code %d and %d bytes (equal: %t), want 0 and the %d bytes sent: %s",
			r.code, len(r.stdout), r.stdout == string(input), len(input), r.stderr)
	}
}

// testReaderThatLeaves ends the reader of an endless output: the command must
// end too and the guest must stay usable.
func testReaderThatLeaves(t *testing.T, h *home) {
	ctx := boundedContext(t)
	cmd := h.command(ctx, "exec", "exec", "--", "sh", "-c", "while :; do echo more; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1<<16)); err != nil {
		t.Error(err)
	}
	_ = out.Close()
	if err := cmd.Wait(); err == nil || ctx.Err() != nil {
		t.Errorf("ended with %v (%v), want an error before the limit", err, ctx.Err())
	}
	if got := h.guest(t, "exec", "echo alive"); got != "alive" {
		t.Errorf("the guest says %q", got)
	}
}

func testSignals(t *testing.T, h *home) {
	ctx := boundedContext(t)
	for _, tt := range []struct {
		script string
		signal os.Signal
		code   int
	}{
		{`trap 'echo got it; exit 42' TERM; echo ready; while :; do sleep 0.1; done`, syscall.SIGTERM, 42},
		{`echo ready; exec sleep 600`, syscall.SIGINT, 130},
		{`echo ready; exec sleep 600`, syscall.SIGHUP, 129},
	} {
		cmd := h.command(ctx, "exec", "exec", "--", "sh", "-c", tt.script)
		startAndWaitFor(t, cmd, "ready", new(strings.Builder))
		if err := cmd.Process.Signal(tt.signal); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // its status is looked at
		if code := cmd.ProcessState.ExitCode(); code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.signal, code, tt.code)
		}
	}
}

// testTerminal runs a session at a terminal: its size arrives, changes of it
// too, and control-C is the guest's.
func testTerminal(t *testing.T, h *home) {
	ctx := boundedContext(t)
	cmd := h.command(ctx, "exec", "-it", "exec", "--", "sh")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 101})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	screen := newScreen(terminal)
	screen.typeAndWait(t, "stty size\n", "33 101")
	screen.typeAndWait(t, "tty && echo is-a-$((1+1))-tty\n", "is-a-2-tty")
	screen.typeAndWait(t, "echo term is-$TERM\n", "is-xterm")
	screen.typeAndWait(t, "sh -c 'echo go-$((1+1)); exec sleep 600'\n", "go-2") // who says so is who is interrupted
	screen.typeAndWait(t, "\x03echo status-$?\n", "status-130")
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 44, Cols: 77}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if _, err := terminal.WriteString("stty size\n"); err != nil {
			return err.Error()
		}
		if !screen.holds("44 77") {
			return "the new size has not arrived"
		}
		return ""
	})
	if _, err := terminal.WriteString("exit 9\n"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("exit code %d, want 9", code)
	}
}

func testDetached(t *testing.T, h *home) {
	h.ok(t, "exec", "-d", "exec", "--", "sh", "-c", "echo to-the-log; sleep 0.3; echo done >/tmp/detached")
	eventually(t, func() string {
		if got := h.guest(t, "exec", "cat /tmp/detached 2>/dev/null; true"); got != "done" {
			return "the file has not been written"
		}
		if !strings.Contains(h.ok(t, "logs", "exec"), "to-the-log") {
			return "the output is not in the log"
		}
		return ""
	})
}

func testExecJSON(t *testing.T, h *home) {
	r := h.try(t, "exec", "--json", "exec", "--", "sh", "-c", "echo out; echo err >&2; exit 5")
	var got struct {
		VM     string `json:"vm"`
		Code   int    `json:"code"`
		Stdout string `json:"stdout"`
		Stderr string `json:"stderr"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("%v in %s", err, r)
	}
	if r.code != 5 || got.VM != "exec" || got.Code != 5 || got.Stdout != "out\n" || got.Stderr != "err\n" {
		t.Errorf("got %s", r)
	}
}

// TestExecStartsTheVM: a VM that is off is started, unless --no-start says no.
func TestExecStartsTheVM(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	w.home.vm(t, "starts", "busybox")
	w.home.ok(t, "stop", "starts")
	r := w.home.try(t, "exec", "--no-start", "starts", "--", "true")
	if r.code != 125 || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("want exit code 125 and a hint, got %s", r)
	}
	if got := w.home.guest(t, "starts", "echo up"); got != "up" {
		t.Errorf("got %q", got)
	}
}

// startAndWaitFor starts cmd and returns when it has printed line; what it
// says on standard error goes to talk.
func startAndWaitFor(t *testing.T, cmd *exec.Cmd, line string, talk *strings.Builder) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != line {
		_ = cmd.Wait() // what it said matters
		t.Fatalf("the command says %q, want %q: %s", lines.Text(), line, talk)
	}
}
