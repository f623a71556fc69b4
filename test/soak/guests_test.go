package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/report"
)

// TestGuestsOutliveTheDaemon: real guests count on their consoles while the
// daemon is killed again and again. None is stopped, each answers soon after
// each start, and no number is missing.
func TestGuestsOutliveTheDaemon(t *testing.T) {
	h := newRealHome(t)
	guests, kills := shared.pick(2, 20), shared.pick(5, 20)
	var pids []int
	for i := range guests {
		h.must(h.startCounting(fmt.Sprintf("g%d", i), guests))
		pids = append(pids, h.processOf(fmt.Sprintf("g%d", i)))
	}
	var slowest time.Duration
	for range kills {
		h.kill()
		h.boot("")
		slowest = max(slowest, h.allAnswer(guests))
	}
	stopped, gaps := 0, 0
	for i, pid := range pids {
		name := fmt.Sprintf("g%d", i)
		if h.processOf(name) != pid {
			stopped++
		}
		gaps += h.gaps(name)
	}
	h.clear()
	shared.tell(report.Figure("real guests x kills of the daemon", float64(guests*kills), "kills"))
	shared.tell(report.Figure("guests stopped by them", float64(stopped), "guests").Against(0))
	shared.tell(report.Figure("numbers missing on consoles", float64(gaps), "numbers").Against(0))
	shared.time(report.Figure("guest answers after the daemon's start", slowest.Seconds(), "s").Against(2))
}

// newRealHome makes a home with the real QEMU and the default kernel.
func newRealHome(t *testing.T) *home {
	t.Helper()
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip(err)
	}
	h := newHome(t)
	h.kill()
	h.env = append(h.env, "PATH="+os.Getenv("PATH"), "BANGER_BOOT_TIMEOUT=3m") // perhaps beside twenty others
	h.boot("")
	h.must(h.pullKernel())
	h.kept = h.traces().Kernels
	return h
}

// startCounting starts a VM whose guest writes a line with the next number to
// its console again and again: all guests together forty times a second, for
// each line is a process, and emulated ones share the host's processors.
func (h *home) startCounting(name string, guests int) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	p := rpc.VMCreateParams{Image: "app", Name: name, MemoryMiB: 128, Start: true}
	if _, err := h.CreateVM(ctx, p, model.Discard); err != nil {
		return err
	}
	count := fmt.Sprintf("i=0; while true; do i=$((i+1)); echo count $i; sleep %.3f; done >/dev/console", float64(guests)/40)
	_, err := h.ExecVM(ctx, rpc.VMExecParams{Name: name, Argv: []string{"/bin/sh", "-c", count}, Detach: true}, rpc.Stdio{}, model.Discard)
	return err
}

// allAnswer asks all guests at once and returns how long the last one took.
func (h *home) allAnswer(guests int) time.Duration {
	h.t.Helper()
	begun := time.Now()
	var group sync.WaitGroup
	for i := range guests {
		group.Go(func() {
			if err := h.exec(fmt.Sprintf("g%d", i)); err != nil {
				h.t.Error(err)
			}
		})
	}
	group.Wait()
	return time.Since(begun)
}

// gaps counts the numbers that are missing on a guest's console.
func (h *home) gaps(name string) (missing int) {
	h.t.Helper()
	var console bytes.Buffer
	h.must(h.LogsVM(h.t.Context(), rpc.VMLogsParams{Name: name}, &console))
	last := 0
	for {
		line, err := console.ReadString('\n')
		if errors.Is(err, io.EOF) { // and a line that is not whole yet
			break
		}
		var n int
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "count %d", &n); err == nil {
			missing += n - last - 1
			last = n
		}
	}
	if last == 0 {
		h.t.Errorf("%s has counted nothing: %.500q", name, console.String())
	}
	return missing
}
