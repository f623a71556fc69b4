package guest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/wire"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 30 * time.Second // of what takes milliseconds

// agent answers each stream of a host as it is told.
func agent(t *testing.T, answer func(stream net.Conn, open wire.Open)) *guest.Client {
	t.Helper()
	host, served := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer served.Close()
		session, err := wire.Accept(served)
		if err != nil {
			return
		}
		defer session.Close()
		for {
			stream, err := session.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer stream.Close()
				var open wire.Open
				if wire.ReadMessage(stream, &open) == nil {
					answer(stream, open)
				}
			})
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := guest.Connect(ctx, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		wg.Wait()
	})
	return c
}

// saying is an agent that says the same on every stream and waits for its end.
func saying(t *testing.T, says string) *guest.Client {
	t.Helper()
	return agent(t, func(stream net.Conn, _ wire.Open) {
		_, _ = io.WriteString(stream, says)
		_, _ = io.Copy(io.Discard, stream)
	})
}

func message(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := wire.WriteMessage(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for protocol, want := range map[int]model.Code{
		wire.Version: "", wire.Version - 1: "", wire.Version + 1: model.CodeUnsupported, wire.Version - 2: model.CodeUnsupported,
	} {
		c := saying(t, message(t, wire.Response{Hello: &wire.Hello{Protocol: protocol}}))
		_, err := c.Hello(t.Context())
		if model.CodeOf(err) != want || err != nil && model.HintOf(err) == "" {
			t.Errorf("protocol %d: %v", protocol, err)
		}
		if c.Err() != nil {
			t.Errorf("protocol %d ended the link: %v", protocol, c.Err())
		}
	}
}

// TestHostileAnswers: a broken protocol ends the link at once.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"no hello":      message(t, wire.Response{}),
		"long hello":    message(t, wire.Response{Hello: &wire.Hello{Protocol: 1, Kernel: strings.Repeat("k", 999)}}),
		"unknown field": message(t, map[string]any{"hello": map[string]any{"protocol": 1}, "path": "/etc/shadow"}),
		"huge":          "\x7f\xff\xff\xff",
		"not JSON":      "\x00\x00\x00\x01x",
	} {
		c := saying(t, says)
		if _, err := c.Hello(t.Context()); model.CodeOf(err) != model.CodeBoot || !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		<-c.Done()
		if !errors.Is(c.Err(), wire.ErrViolation) {
			t.Errorf("%s: the link ended with %v", name, c.Err())
		}
		if err := c.Shutdown(t.Context(), 0); !errors.Is(err, guest.ErrLost) && !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: shutdown afterwards: %v", name, err)
		}
	}
}

func TestHostileProcesses(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"frame of the host's": string(wire.Frame(wire.FrameStdin, []byte("x"))),
		"unknown frame":       "\x63\x00\x00\x00\x00",
		"huge frame":          "\x05\x7f\xff\xff\xff",
		"credit from nothing": string(wire.CreditFrame(1)),
		"huge credit":         string(wire.CreditFrame(1 << 30)),
		"odd exit":            string(wire.Frame(wire.FrameExit, []byte(`{"code":70000}`))),
		"odd error":           string(wire.Frame(wire.FrameError, []byte(`[]`))),
	} {
		c := saying(t, says)
		_, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}}, guest.Stdio{})
		if model.CodeOf(err) != model.CodeBoot || !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		<-c.Done()
	}
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	stdio := guest.Stdio{Stdout: &out, Stderr: &errOut}
	c := saying(t, string(wire.Frame(wire.FrameStdout, []byte("out")))+string(wire.Frame(wire.FrameStderr, []byte("err")))+
		string(wire.ExitFrame(model.ExitStatus{Code: 129, Signal: "SIGHUP", Err: "\x1b"})))
	status, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}}, stdio)
	if want := (model.ExitStatus{Code: 129, Signal: "SIGHUP", Err: `\x1b`}); status != want || err != nil || out.String()+errOut.String() != "outerr" {
		t.Errorf("%+v, %v, %q, %q", status, err, out.String(), errOut.String())
	}
	if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}}, guest.Stdio{}); err != nil {
		t.Errorf("nobody listens: %v", err)
	}
	c = saying(t, string(wire.ErrorFrame(model.Errorf(model.CodeConflict, "busy"))))
	if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}}, stdio); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("refused: %v", err)
	}
	c = agent(t, func(net.Conn, wire.Open) {}) // closes the stream
	if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}}, stdio); !errors.Is(err, guest.ErrLost) {
		t.Errorf("no exit: %v", err)
	}
}

// TestSilence: an agent that says nothing holds up nobody for longer than
// they want.
func TestSilence(t *testing.T) {
	t.Parallel()
	c := saying(t, "")
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Hello(soon); model.CodeOf(err) != model.CodeTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hello: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := c.Shutdown(gone, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := c.Exec(soon, wire.ExecRequest{Argv: []string{"x"}}, guest.Stdio{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("exec: %v", err)
	}
	if c.Err() != nil {
		t.Errorf("the link has ended: %v", c.Err())
	}
	_ = c.Close()
	if _, err := c.Hello(t.Context()); !errors.Is(err, guest.ErrLost) || c.Err() == nil {
		t.Errorf("after close: %v, %v", err, c.Err())
	}
}

// TestKillOnCancel: the agent is told to kill before the stream ends.
func TestKillOnCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan string, 1)
	c := agent(t, func(stream net.Conn, _ wire.Open) {
		_, _ = stream.Write(wire.Frame(wire.FrameStdout, []byte("up")))
		_, payload, err := wire.NewFrameReader(stream, wire.FromHost).Next()
		told <- string(payload)
		if err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Exec(ctx, wire.ExecRequest{Argv: []string{"x"}}, guest.Stdio{Stdout: funcWriter(cancel)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if signal := <-told; signal != "KILL" {
		t.Errorf("told %q", signal)
	}
}

// funcWriter is called for each write.
type funcWriter func()

func (f funcWriter) Write(p []byte) (int, error) { f(); return len(p), nil }

// TestInputIsLetGo: after the end of a process its input's reader has no
// deadline and nobody reading.
func TestInputIsLetGo(t *testing.T) {
	t.Parallel()
	c := saying(t, string(wire.ExitFrame(model.ExitStatus{})))
	mine, theirs := net.Pipe()
	defer mine.Close()
	if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}, Stdin: true}, guest.Stdio{Stdin: theirs}); err != nil {
		t.Fatal(err)
	}
	go mine.Write([]byte("next")) //nolint:errcheck // read below
	b := make([]byte, 4)
	if _, err := io.ReadFull(theirs, b); err != nil || string(b) != "next" {
		t.Errorf("%q, %v", b, err)
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}, Stdin: true}, guest.Stdio{Stdin: file}); err != nil {
		t.Errorf("file as input: %v", err)
	}
}

// TestWindow: no more input is sent than was credited.
func TestWindow(t *testing.T) {
	t.Parallel()
	got := make(chan int, 1)
	c := agent(t, func(stream net.Conn, _ wire.Open) {
		frames := wire.NewFrameReader(stream, wire.FromHost)
		n := 0
		for {
			_ = stream.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			_, payload, err := frames.Next()
			if n += len(payload); err != nil {
				break
			}
		}
		got <- n
		_, _ = stream.Write(wire.ExitFrame(model.ExitStatus{}))
	})
	endless := io.MultiReader(bytes.NewReader(make([]byte, 4*wire.StdinWindow)))
	if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"x"}, Stdin: true}, guest.Stdio{Stdin: endless}); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != wire.StdinWindow {
		t.Errorf("%d bytes sent without credit, want %d", n, wire.StdinWindow)
	}
}

// TestConnect fails with its context, and closes the connection.
func TestConnect(t *testing.T) {
	t.Parallel()
	host, other := net.Pipe()
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := guest.Connect(ctx, host); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := host.Read(nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("connection: %v", err)
	}
}
