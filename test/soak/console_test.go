package soak

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm/console"
	"banger/test/report"
)

// TestConsoleWithoutADaemon: a guest floods its console while no daemon runs.
// The disk is not filled, the guest goes on, and what it said last is there
// for the next daemon.
func TestConsoleWithoutADaemon(t *testing.T) {
	h := newHome(t)
	h.must(h.startNew("v"))
	vm, err := h.ShowVM(t.Context(), rpc.NameParams{Name: "v"})
	h.must(err)
	pid := h.processOf("v")
	h.kill()
	file := filepath.Join(vm.Dir, model.ConsoleFile)
	h.flood(file, 128<<20)
	var held int64
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var st unix.Stat_t
		h.must(unix.Stat(file, &st))
		if held = st.Blocks * 512; held <= console.DefaultKeep+1<<20 {
			break
		}
	}
	h.boot("")
	var tail bytes.Buffer
	h.must(h.LogsVM(t.Context(), rpc.VMLogsParams{Name: "v", Tail: 1}, &tail))
	if tail.String() != "the last line\n" {
		t.Errorf("the console ends with %q", tail.String())
	}
	if h.processOf("v") != pid {
		t.Error("the VM was stopped")
	}
	h.clear()
	shared.tell(report.Figure("console of a flooding guest without a daemon", float64(held)/(1<<20), "MiB").Against(17))
}

// flood writes to a console as QEMU does.
func (h *home) flood(file string, size int) {
	h.t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	h.must(err)
	defer f.Close()
	line := bytes.Repeat(fmt.Appendf(nil, "%063d\n", 0), 1<<14)
	for done := 0; done < size; done += len(line) {
		_, err := f.Write(line)
		h.must(err)
	}
	_, err = f.WriteString("the last line\n")
	h.must(err)
}
