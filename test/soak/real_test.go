package soak

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/report"
)

// createReal makes a VM on the default kernel, a real one.
func (h *home) createReal(name string, start bool) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	_, err := h.CreateVM(ctx, rpc.VMCreateParams{Image: "app", Name: name, MemoryMiB: 128, Start: start}, model.Discard)
	return err
}

// TestRealCycles: real guests are made, used, stopped and deleted; then the
// daemon and the host are as they were.
func TestRealCycles(t *testing.T) {
	h := newRealHome(t)
	cycle := func() {
		h.must(h.createReal("v", true))
		h.must(h.exec("v"))
		h.must(h.stopVM("v"))
		h.must(h.deleteVM("v"))
	}
	cycle() // caches are filled
	clean, before := h.traces(), h.daemonUse()
	cycles := shared.pick(2, 50)
	for range cycles {
		cycle()
	}
	if diff := h.settled(clean); diff != "" {
		t.Errorf("left over: %s", diff)
	}
	after := h.daemonUse()
	shared.tell(report.Figure("real cycles of create, start, exec, stop, delete", float64(cycles), "cycles"))
	shared.tell(report.Figure("real cycles: more descriptors", float64(after.files-before.files), "files").Against(2))
	shared.tell(report.Figure("real cycles: more memory", float64(after.memory-before.memory)/(1<<20), "MB").Against(5))
}

// daemonUse is what the daemon has taken of the host, once what ends by itself
// has ended.
type daemonUse struct{ files, memory int }

func (h *home) daemonUse() (least daemonUse) {
	h.t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(h.daemon.Process.Pid))
	for i := range 40 {
		files, err := os.ReadDir(filepath.Join(proc, "fd"))
		h.must(err)
		status, err := os.ReadFile(filepath.Join(proc, "status"))
		h.must(err)
		now := daemonUse{len(files), anonymousBytes(string(status))}
		if i == 0 {
			least = now
		}
		least = daemonUse{min(least.files, now.files), min(least.memory, now.memory)}
		time.Sleep(100 * time.Millisecond)
	}
	return least
}

// anonymousBytes reads RssAnon of proc_pid_status(5).
func anonymousBytes(status string) int {
	for line := range strings.Lines(status) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "RssAnon:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib << 10
		}
	}
	return 0
}

// TestKilledBesideARealGuest kills the daemon where a real guest is about to
// start, to answer, to stop or to be deleted.
func TestKilledBesideARealGuest(t *testing.T) {
	h := newRealHome(t)
	h.must(h.createReal("v", true)) // caches are filled
	h.clear()
	clean := h.traces()
	created := func(h *home) error { return h.createReal("v", false) }
	running := func(h *home) error { return h.createReal("v", true) }
	points := []string{
		"qemu.start/spawned", "vm.start/answered", // those of the short form
		"vm.start/prepared", "qemu.start/greeted", "vm.start/launched", "vm.start/recorded", "vm.start/configured", "vm.start/hooked",
		"vm.stop/intended", "vm.stop/asked", "vm.kill/signalled", "vm.watch/seen", "vm.delete/intended", "vm.delete/hooked", "vm.recover/vm",
	}
	points = points[:shared.pick(2, len(points))]
	all := []scenario{
		{points: []string{"vm.start/", "qemu.start/"}, prepare: created, act: func(h *home) error { return h.startVM("v") }},
		{points: []string{"vm.stop/"}, prepare: running, act: func(h *home) error { return h.stopVM("v") }},
		{points: []string{"vm.kill/", "vm.watch/"}, prepare: running, act: func(h *home) error { return h.killVM("v") }},
		{points: []string{"vm.delete/"}, prepare: running, act: func(h *home) error { return gone(h.deleteVM("v")) }},
		{points: []string{"vm.recover/"}, prepare: running, act: func(h *home) error { return h.exec("v") }},
	}
	leaks := 0
	for _, point := range points {
		h.killAt(point, all[slices.IndexFunc(all, func(s scenario) bool { return s.has(point) })])
		if diff := h.settled(clean); diff != "" {
			leaks++
			t.Errorf("%s: left over: %s", point, diff)
		}
	}
	shared.tell(report.Figure("fail points x kill beside a real guest", float64(len(points)), "points"))
	shared.tell(report.Figure("leaks after them", float64(leaks), "leaks").Against(0))
}
