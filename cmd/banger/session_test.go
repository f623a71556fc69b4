package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/rpc"
)

func TestInteractiveSession(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		act  func(t *testing.T, r *rig, user *os.File)
		code int
	}{
		{"bare run", []string{"run"}, typeExit("exit 0\r"), 0},
		{"run -it", []string{"run", "-it", "debian"}, typeExit("exit 3\r"), 3},
		{"exec -it", []string{"exec", "-it", "dev", "--", "sh"}, typeExit("exit 4\r"), 4},
		{"TERM", []string{"run", "-it", "debian", "wait"}, sendSignal(syscall.SIGTERM), 128 + 15},
		{"HUP", []string{"exec", "-it", "dev", "wait"}, sendSignal(syscall.SIGHUP), 128 + 1},
		{"PIPE", []string{"exec", "-it", "dev", "wait"}, sendSignal(syscall.SIGPIPE), 128 + 13},
		{"lost VM", []string{"run", "-it", "debian", "lost"}, nil, exitOwn},
		{"no command", []string{"run", "-it", "debian", "nosuch"}, nil, exitNoCommand},
		{"no image", []string{"run", "-it", "bad"}, nil, exitOwn},
		{"INT while booting", []string{"run", "-it", "slow-boot"}, interruptBoot, 130},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if code, _, stderr := banger(t, r.daemon, "create", "--start", "--name", "dev"); code != exitOK {
				t.Fatal(stderr)
			}
			user, tty := r.terminal(t)
			before := termios(t, tty)
			r.start(t, test.args...)
			if test.act != nil {
				test.act(t, r, user)
			}
			r.wantExit(t, test.code)
			if diff := cmp.Diff(before, termios(t, tty)); diff != "" {
				t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
			}
		})
	}
}

// typeExit types at the fake shell, which sees carriage returns in raw mode
// alone, and checks that Ctrl-C is a byte like others there.
func typeExit(line string) func(*testing.T, *rig, *os.File) {
	return func(t *testing.T, r *rig, user *os.File) {
		t.Helper()
		r.out.waitFor(t, "$ ")
		write(t, user, "\x03\r")
		r.out.waitFor(t, `read "\x03\r"`)
		write(t, user, line)
	}
}

func sendSignal(sig syscall.Signal) func(*testing.T, *rig, *os.File) {
	return func(t *testing.T, r *rig, _ *os.File) {
		t.Helper()
		r.out.waitFor(t, "waiting")
		r.signals.send(sig)
	}
}

func interruptBoot(t *testing.T, r *rig, _ *os.File) {
	t.Helper()
	awaitSignalHandler(t, r)
	r.signals.send(os.Interrupt)
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func TestResizeReachesTheProcess(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, tty := r.terminal(t)
	r.start(t, "run", "-it", "debian", "wait")
	r.out.waitFor(t, "waiting")
	if diff := cmp.Diff(&model.WinSize{Rows: 24, Cols: 80}, r.daemon.runParams().Size); diff != "" {
		t.Errorf("first size (-want +got):\n%s", diff)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 50, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	r.signals.send(syscall.SIGWINCH)
	r.out.waitFor(t, "size 132x50")
	r.signals.send(syscall.SIGTERM)
	r.wantExit(t, 143)
}

func (d *fakeDaemon) runParams() rpc.VMRunParams {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.run
}

// TestSignalsReachTheProcess: without a terminal the process gets the first
// signal; a second one within two seconds ends banger.
func TestSignalsReachTheProcess(t *testing.T) {
	t.Parallel()
	t.Run("forwarded", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start(t, "run", "debian", "wait")
		r.out.waitFor(t, "waiting")
		for sig, name := range map[os.Signal]string{os.Interrupt: "INT", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT"} {
			r.signals.send(sig)
			r.out.waitFor(t, "got "+name)
			r.clock.advance(insist)
		}
		r.signals.send(syscall.SIGTERM)
		r.wantExit(t, 143)
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start(t, "run", "debian", "wait")
		r.out.waitFor(t, "waiting")
		r.signals.send(os.Interrupt)
		r.out.waitFor(t, "got INT")
		r.signals.send(os.Interrupt)
		r.wantExit(t, 130)
	})
	t.Run("before the process runs", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start(t, "run", "slow-boot")
		awaitSignalHandler(t, r)
		r.signals.send(syscall.SIGTERM)
		r.wantExit(t, 143)
	})
}

// TestACallThatDoesNotEndIsLeft: a daemon that ignores the cancel does not
// keep the user.
func TestACallThatDoesNotEndIsLeft(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	defer close(release)
	want := &processExit{code: 130}
	end(want)
	_, err := await(ctx, func() (model.ExitStatus, error) {
		<-release
		return model.ExitStatus{}, nil
	})
	if !errors.Is(err, want) {
		t.Errorf("await: %v, want %v", err, want)
	}
}

// TestInterruptCancelsACall: Ctrl-C during another verb is exit code 130.
func TestInterruptCancelsACall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.app.connect = func(ctx context.Context) (rpc.API, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r.start(t, "ps")
	awaitSignalHandler(t, r)
	r.signals.send(os.Interrupt)
	r.wantExit(t, exitCanceled)
}

func TestRawTerminalAfterRestore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, tty := r.terminal(t)
	before := termios(t, tty)
	terminal := newRawTerminal(tty, true)
	terminal.raw()
	if cmp.Equal(before, termios(t, tty)) {
		t.Error("raw changed nothing")
	}
	terminal.restore()
	terminal.raw()
	terminal.restore()
	if diff := cmp.Diff(before, termios(t, tty)); diff != "" {
		t.Errorf("raw works after restore (-want +got):\n%s", diff)
	}
}

func TestCaptureIsBounded(t *testing.T) {
	t.Parallel()
	var c capture
	half := bytes.Repeat([]byte("x"), maxCapture/2+1)
	for range 3 {
		if n, err := c.stdout.Write(half); n != len(half) || err != nil {
			t.Fatal(n, err)
		}
	}
	var result outcome
	c.into(&result)
	if len(result.Stdout) != maxCapture || !result.Truncated {
		t.Errorf("%d bytes kept, truncated %v", len(result.Stdout), result.Truncated)
	}
}

func TestPanicRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, tty := r.terminal(t)
	before := termios(t, tty)
	terminal := newRawTerminal(tty, true)
	terminal.raw()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		defer terminal.restoreOnPanic()
		panic("fault")
	}()
	if diff := cmp.Diff(before, termios(t, tty)); diff != "" {
		t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
	}
}
