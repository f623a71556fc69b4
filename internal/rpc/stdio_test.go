package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
)

func exec(t *testing.T, api rpc.API, stdio rpc.Stdio, argv ...string) (model.ExitStatus, error) {
	t.Helper()
	p := rpc.VMExecParams{Name: "web", Argv: argv, Stdin: stdio.Stdin != nil}
	return api.ExecVM(t.Context(), p, stdio, model.Discard)
}

func TestExecStreams(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, _ *fakeAPI, api rpc.API) {
		var stdout, stderr bytes.Buffer
		status, err := exec(t, api, rpc.Stdio{Stdout: &stdout, Stderr: &stderr}, "both")
		if err != nil || status.Code != 3 || stdout.String() != "out" || stderr.String() != "err" {
			t.Errorf("%+v, %v, %q, %q", status, err, &stdout, &stderr)
		}
	})
}

func TestExecCarriesInputToItsEnd(t *testing.T) {
	t.Parallel()
	input := make([]byte, 3<<20+17) // many windows
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(input)
	for name, stdin := range map[string]io.Reader{
		"none":        nil,
		"empty":       strings.NewReader(""),
		"short":       bytes.NewReader(input[:5]),
		"one window":  bytes.NewReader(input[:256<<10]),
		"many":        bytes.NewReader(input),
		"a byte each": &byteReader{data: input[:5000]},
	} {
		var want []byte
		switch s := stdin.(type) {
		case *bytes.Reader:
			want = input[:s.Len()]
		case *byteReader:
			want = s.data
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, _ := serve(t, newFake())
			var stdout bytes.Buffer
			if _, err := exec(t, client(t, socket), rpc.Stdio{Stdin: stdin, Stdout: &stdout}, "cat"); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(stdout.Bytes(), want) {
				t.Errorf("%d bytes came back of %d", stdout.Len(), len(want))
			}
		})
	}
}

// byteReader gives one byte at a time.
type byteReader struct {
	data []byte
	next int
}

func (b *byteReader) Read(p []byte) (int, error) {
	if b.next == len(b.data) {
		return 0, io.EOF
	}
	p[0] = b.data[b.next]
	b.next++
	return 1, nil
}

type counter struct{ n, nonzero int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	c.nonzero += len(p) - bytes.Count(p, []byte{0})
	return len(p), nil
}

func TestExecCarriesMuchOutput(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t, newFake())
	var stdout counter
	const size = 64 << 20
	if _, err := exec(t, client(t, socket), rpc.Stdio{Stdout: &stdout}, "zeros", "67108864"); err != nil {
		t.Fatal(err)
	}
	if stdout.n != size || stdout.nonzero != 0 {
		t.Errorf("%d bytes of %d, %d of them wrong", stdout.n, size, stdout.nonzero)
	}
}

// onOutput calls do at the first output.
type onOutput struct {
	do   func()
	done bool
}

func (o *onOutput) Write(p []byte) (int, error) {
	if !o.done {
		o.done = true
		o.do()
	}
	return len(p), nil
}

func TestSignalPassesInputThatNobodyReads(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, _ *fakeAPI, api rpc.API) {
		signals := make(chan string, 1)
		status, err := exec(t, api, rpc.Stdio{
			Stdin:   zeros{}, // without end
			Stdout:  &onOutput{do: func() { signals <- "INT"; close(signals) }},
			Signals: signals,
		}, "signal")
		if err != nil || status.Signal != "INT" || status.Code != 130 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func TestProcessMayLeaveItsInput(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, _ *fakeAPI, api rpc.API) {
		var stdout bytes.Buffer
		status, err := exec(t, api, rpc.Stdio{Stdin: zeros{}, Stdout: &stdout}, "head")
		if err != nil || status.Code != 0 || stdout.String() != "\x00\x00\x00\x00" {
			t.Errorf("%+v, %v, %q", status, err, &stdout)
		}
	})
}

func TestResize(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, _ *fakeAPI, api rpc.API) {
		resize := make(chan model.WinSize, 1)
		resize <- model.WinSize{Rows: 24, Cols: 80}
		close(resize)
		var stdout bytes.Buffer
		status, err := exec(t, api, rpc.Stdio{Stdout: &stdout, Resize: resize}, "size")
		if err != nil || status.Code != 0 || stdout.String() != "80x24" {
			t.Errorf("%+v, %v, %q", status, err, &stdout)
		}
	})
}

func TestRunSaysWhichVMItStarted(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, _ *fakeAPI, api rpc.API) {
		var started []string
		stdio := rpc.Stdio{Started: func(vm model.VM) { started = append(started, vm.Name) }}
		status, err := api.RunVM(t.Context(), rpc.VMRunParams{Argv: []string{"exit", "4"}}, stdio, model.Discard)
		if err != nil || status.Code != 4 || len(started) != 1 || started[0] != "run" {
			t.Errorf("%+v, %v, %v", status, err, started)
		}
	})
}

func TestFailingOutputEndsTheProcess(t *testing.T) {
	t.Parallel()
	fake := newFake()
	socket, _ := serve(t, fake)
	full := errors.New("no room")
	_, err := exec(t, client(t, socket), rpc.Stdio{Stdout: failing{full}}, "zeros", "999999999999")
	if !errors.Is(err, full) {
		t.Errorf("ExecVM = %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestDaemonThatGoesAwayIsNamed(t *testing.T) {
	t.Parallel()
	socket := cutter(t)
	api := client(t, socket)
	for _, c := range apiCalls() {
		_, err := c.do(t.Context(), api, model.Discard)
		if model.CodeOf(err) != model.CodeUnreachable {
			t.Errorf("%s: %v", c.method, err)
		}
	}
}

// cutter listens on a socket and closes every connection after its first bytes.
func cutter(t *testing.T) string {
	t.Helper()
	socket := t.TempDir() + "/run/banger.sock"
	l, err := rpc.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return socket
}

func TestDeadlineOfTheCallerIsATimeout(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.block = true
	socket, _ := serve(t, fake)
	api := client(t, socket)
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := api.ListVMs(ctx); model.CodeOf(err) != model.CodeTimeout {
		t.Errorf("ListVMs = %v", err)
	}
}
