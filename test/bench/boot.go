package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"banger/internal/guest"
	"banger/test/report"
)

// bootRuns is how many boots of each kind are compared.
const bootRuns = 7

// bootOverhead compares a whole `banger run --rm` with what no program can
// save: QEMU's own time from its start to the agent's first answer, with the
// very command line that banger gives it. Runs are interleaved, so that both
// see the same host.
func bootOverhead(ctx context.Context, h *home) ([]report.Row, error) {
	if _, err := h.banger(ctx, "create", "--start", "--name", "bare", image); err != nil {
		return nil, err
	}
	bare, err := newBareBoot(ctx, h, "bare")
	if err != nil {
		return nil, err
	}
	if _, err := h.banger(ctx, "stop", "bare"); err != nil {
		return nil, err
	}
	var whole, alone, ratios []float64
	for range bootRuns {
		took, err := bare.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("booting without banger: %w", err)
		}
		alone = append(alone, millis(took))
		times, err := h.timed(ctx, 1, "run", "--rm", image, "--", "true")
		if err != nil {
			return nil, err
		}
		whole = append(whole, times...)
		ratios = append(ratios, times[0]/millis(took))
	}
	return []report.Row{
		report.Figure("run --rm true, median", report.Median(whole), "ms"),
		report.Figure("run --rm true, fastest", report.Quantile(whole, 0), "ms"),
		report.Figure("run --rm true, slowest", report.Quantile(whole, 1), "ms"),
		report.Figure("bare boot, median", report.Median(alone), "ms"),
		report.Figure("bare boot, fastest", report.Quantile(alone, 0), "ms"),
		report.Figure("bare boot, slowest", report.Quantile(alone, 1), "ms"),
		report.Figure("run / bare boot, median of pairs", report.Median(ratios), "x").Against(1.25),
	}, nil
}

// bareBoot is a VM's QEMU without banger.
type bareBoot struct {
	argv   []string
	runDir string // of the VM; stands in argv
}

// newBareBoot copies the command line of a VM that runs.
func newBareBoot(ctx context.Context, h *home, name string) (bareBoot, error) {
	vm, err := h.show(ctx, name)
	if err != nil {
		return bareBoot{}, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", vm.Runtime.Process.PID))
	if err != nil {
		return bareBoot{}, err
	}
	argv := strings.Split(string(bytes.TrimSuffix(text, []byte{0})), "\x00")
	return bareBoot{argv: argv, runDir: filepath.Join(h.dir, "run", "vm", vm.Runtime.Generation)}, nil
}

// run boots once and returns the time to the agent's first answer.
func (b bareBoot) run(ctx context.Context) (took time.Duration, err error) {
	dir, err := os.MkdirTemp("/tmp", "bgb")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	files, err := inherited(dir)
	if err != nil {
		return 0, err
	}
	argv := make([]string, len(b.argv))
	for i, arg := range b.argv {
		argv[i] = strings.ReplaceAll(arg, b.runDir, dir)
	}
	begin := time.Now()
	process, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Dir: "/", Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	for _, f := range files {
		_ = f.Close() // QEMU has its own by now
	}
	if err != nil {
		return 0, err
	}
	defer func() {
		_, waitErr := process.Wait()
		err = errors.Join(err, waitErr)
	}()
	defer func() { err = errors.Join(err, process.Kill()) }()
	err = firstAnswer(ctx, filepath.Join(dir, "agent.sock"))
	return time.Since(begin), err
}

// inherited makes what QEMU gets from banger: no input, a log, a lock, and
// the listening sockets of its monitor, the agent and the console.
func inherited(dir string) ([]*os.File, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	files := []*os.File{null}
	for _, name := range []string{"log", "log", "lock"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	for _, name := range []string{"qmp.sock", "agent.sock", "console.sock"} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		if err != nil {
			return nil, err
		}
		l.SetUnlinkOnClose(false)
		f, err := l.File()
		if err := errors.Join(err, l.Close()); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// firstAnswer returns when the agent has answered on the socket.
func firstAnswer(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	client, err := guest.Connect(ctx, conn)
	if err != nil {
		return err
	}
	_, err = client.Hello(ctx)
	return errors.Join(err, client.Close())
}
