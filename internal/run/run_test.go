package run_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/run"
)

func sh(script string) run.Cmd { return run.Cmd{Name: "sh", Args: []string{"-c", script}} }

func TestCommandReturnsOutput(t *testing.T) {
	t.Parallel()
	c := sh(`cat; echo "$LC_ALL $A" >&2; pwd`)
	c.Stdin, c.Dir, c.Env = strings.NewReader("in\n"), "/", []string{"A=b"}
	res, err := run.Command(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(res.Stdout); got != "in\n/\n" {
		t.Errorf("stdout %q", got)
	}
	if got := string(res.Stderr); got != "C b\n" {
		t.Errorf("stderr %q", got)
	}
	if res.ExitCode != 0 || res.Duration <= 0 {
		t.Errorf("exit code %d after %v", res.ExitCode, res.Duration)
	}
}

func TestStderrIsPassedOnAndKept(t *testing.T) {
	t.Parallel()
	var seen bytes.Buffer
	c := sh(`echo one >&2; exit 3`)
	c.Stderr = &seen
	_, err := run.Command(t.Context(), c)
	var e *run.Error
	if !errors.As(err, &e) || e.Output != "one\n" || seen.String() != "one\n" {
		t.Errorf("error %#v, seen %q", err, seen.String())
	}
}

func TestClearEnv(t *testing.T) {
	t.Parallel()
	res, err := run.Command(t.Context(), run.Cmd{Name: "env", ClearEnv: true, Env: []string{"A=b"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(res.Stdout); got != "LC_ALL=C\nA=b\n" {
		t.Errorf("environment %q", got)
	}
}

func TestErrorQuotesCommandAndOutput(t *testing.T) {
	t.Parallel()
	res, err := run.Command(t.Context(), sh(`echo "it's bad" >&2; exit 7`))
	var e *run.Error
	if !errors.As(err, &e) || e.ExitCode != 7 || res.ExitCode != 7 {
		t.Fatalf("got %#v, exit code %d", err, res.ExitCode)
	}
	want := `running sh -c 'echo "it'\''s bad" >&2; exit 7': exit status 7: it's bad`
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestErrorQuotesStdoutWhenStderrIsEmpty(t *testing.T) {
	t.Parallel()
	_, err := run.Command(t.Context(), sh(`echo reason; exit 1`))
	if err == nil || !strings.HasSuffix(err.Error(), ": reason") {
		t.Errorf("got %v", err)
	}
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"banger-no-such-program", "/nonexistent/program"} {
		_, err := run.Command(t.Context(), run.Cmd{Name: name})
		if !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	c := run.Cmd{Name: "yes", MaxStdout: 1000}
	res, err := run.Command(t.Context(), c)
	if !errors.Is(err, run.ErrTooMuchOutput) || len(res.Stdout) != 1000 {
		t.Errorf("stdout: %d bytes, error %v", len(res.Stdout), err)
	}
	res, err = run.Command(t.Context(), sh(`head -c 1000000 /dev/zero | tr '\0' x >&2; echo end >&2`))
	if err != nil || len(res.Stderr) != 64<<10 || !bytes.HasSuffix(res.Stderr, []byte("xend\n")) {
		t.Errorf("stderr: %d bytes, error %v", len(res.Stderr), err)
	}
}

// TestCancelKillsTheGroup starts a grandchild that would live on and hold the
// pipes open, and looks for it after the command was canceled.
func TestCancelKillsTheGroup(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, time.Minute} {
		ctx, cancel := context.WithCancel(t.Context())
		pidFile := filepath.Join(t.TempDir(), "pid")
		c := sh(`sleep 1000 & echo $! > "$F.new"; mv "$F.new" "$F"; wait`)
		c.Env, c.Grace = []string{"F=" + pidFile}, grace
		var pid int
		go func() {
			pid = awaitPID(t, pidFile)
			cancel()
		}()
		_, err := run.Command(ctx, c)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("grace %v: got %v", grace, err)
		}
		awaitGone(t, pid)
	}
}

// TestSuccessEndsTheGroup: a grandchild left behind by a command that
// succeeded is ended as well, and nothing waits for it.
func TestSuccessEndsTheGroup(t *testing.T) {
	t.Parallel()
	res, err := run.Command(t.Context(), sh(`sleep 1000 & echo $!`))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(res.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
}

func TestStream(t *testing.T) {
	t.Parallel()
	out, err := run.Stream(t.Context(), sh(`head -c 3000000 /dev/zero`))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, out)
	if n != 3000000 || err != nil {
		t.Errorf("read %d bytes, error %v", n, err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

func TestStreamEndsWithTheCommandsError(t *testing.T) {
	t.Parallel()
	out, err := run.Stream(t.Context(), sh(`echo part; echo why >&2; exit 3`))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	got, err := io.ReadAll(out)
	var e *run.Error
	if string(got) != "part\n" || !errors.As(err, &e) || e.ExitCode != 3 || e.Output != "why\n" {
		t.Errorf("read %q, error %v", got, err)
	}
}

func TestStreamCloseEndsTheCommand(t *testing.T) {
	t.Parallel()
	out, err := run.Stream(t.Context(), sh(`echo $$; exec yes`))
	if err != nil {
		t.Fatal(err)
	}
	var line [32]byte
	n, err := out.Read(line[:])
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(line[:n]), "\n")
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
}

// TestStreamCancelStopsReaders: the reader is let go even when a process
// outside of the command's group keeps the pipe open.
func TestStreamCancelStopsReaders(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	pidFile := filepath.Join(t.TempDir(), "pid")
	c := sh(`setsid sh -c 'echo $$ > "$F.new"; mv "$F.new" "$F"; exec sleep 1000'`)
	c.Env = []string{"F=" + pidFile}
	out, err := run.Stream(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	pid := awaitPID(t, pidFile)
	defer func() { _ = unix.Kill(pid, unix.SIGKILL) }()
	cancel()
	if _, err := io.ReadAll(out); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStreamMissingProgram(t *testing.T) {
	t.Parallel()
	if _, err := run.Stream(t.Context(), run.Cmd{Name: "banger-no-such-program"}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	argv := []string{"a", "", "b c", `$x"y'`, "ü", "-o=/p,q"}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s|' "+run.Quote(argv)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(argv, "|") + "|"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func awaitPID(t *testing.T, file string) int {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Error(err)
			}
			return pid
		}
	}
	t.Error("no process number was written")
	return 0
}

// awaitGone waits until pid is no process or a zombie that waits for its
// new parent.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d still runs", pid)
}
