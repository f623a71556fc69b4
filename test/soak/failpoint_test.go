package soak

import (
	"os"
	"slices"
	"strings"
	"testing"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/test/report"
)

// scenario is one operation that is disturbed.
type scenario struct {
	points  []string // prefixes of the fail points on its way
	extra   string   // another fail point that is needed to get there
	prepare func(h *home) error
	act     func(h *home) error
}

// scenarios has every operation once. What act does twice in a row, with a
// crash in between, must end well.
func scenarios() []scenario {
	nothing := func(*home) error { return nil }
	created := func(h *home) error { return h.createVM("v", false) }
	running := func(h *home) error { return h.startNew("v") }
	return []scenario{
		{points: []string{"image.pull/", "operation/begun"}, prepare: nothing, act: func(h *home) error { return orThere(h.pullImage("i"), h, "i") }},
		{points: []string{"operation/undoing"}, extra: "image.pull/staged=1*error:undone", prepare: nothing, act: func(h *home) error { return h.pullImage("i") }},
		{
			points:  []string{"image.delete/"},
			prepare: func(h *home) error { return h.pullImage("i") },
			act:     func(h *home) error { return gone(h.deleteImage("i")) },
		},
		{points: []string{"kernel.import/", "kernel.finish/"}, prepare: nothing, act: func(h *home) error { return h.importKernel("i") }},
		{
			points:  []string{"kernel.delete/"},
			prepare: func(h *home) error { return h.importKernel("i") },
			act:     func(h *home) error { return gone(h.deleteKernel("i")) },
		},
		{points: []string{"initramfs/"}, prepare: func(h *home) error {
			if err := os.RemoveAll(h.paths.Initramfs()); err != nil {
				return err
			}
			return h.createVM("v", false)
		}, act: func(h *home) error { return h.startVM("v") }},
		{points: []string{"vm.create/"}, prepare: nothing, act: func(h *home) error { return createAgain(h, "v") }},
		{points: []string{"vm.start/", "qemu.start/"}, prepare: created, act: func(h *home) error { return h.startVM("v") }},
		{points: []string{"vm.stop/"}, prepare: running, act: func(h *home) error { return h.stopVM("v") }},
		{points: []string{"vm.kill/", "vm.watch/"}, prepare: running, act: func(h *home) error { return h.killVM("v") }},
		{points: []string{"vm.restart/"}, prepare: running, act: func(h *home) error { return h.restartVM("v") }},
		{points: []string{"vm.delete/"}, prepare: running, act: func(h *home) error { return gone(h.deleteVM("v")) }},
		{points: []string{"vm.run/"}, prepare: nothing, act: (*home).run},
		{points: []string{"operation.recover/", "kernel.recover/", "image.recover/", "vm.recover/"}, prepare: running, act: nothing},
	}
}

// orThere takes a pull whose answer was lost for one that was done.
func orThere(err error, h *home, name string) error {
	if model.CodeOf(err) == model.CodeConflict && slices.Contains(h.traces().Images, name) {
		return nil
	}
	return err
}

// createAgain creates and starts a VM; one that a crash left is started.
func createAgain(h *home, name string) error {
	err := h.startNew(name)
	if model.CodeOf(err) == model.CodeConflict && h.has(name, model.VMStopped, model.VMRunning) {
		return h.startVM(name)
	}
	return err
}

func (s scenario) has(point string) bool {
	return slices.ContainsFunc(s.points, func(prefix string) bool { return strings.HasPrefix(point, prefix) })
}

// skipped are places that this host or this form of the test cannot get to.
func skipped(point string) bool {
	return online(point) && !shared.full || strings.HasPrefix(point, "kernel.build/") && !canBuild()
}

// online are the places behind a download from a mirror: the full form's.
func online(point string) bool { return strings.HasPrefix(point, "kernel.pull/") }

// TestKilledAtEachFailPoint kills the daemon at each place, starts it again
// and repeats the operation: it succeeds, and when all is deleted nothing is
// left over.
func TestKilledAtEachFailPoint(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	all := slices.Concat(scenarios(), diskScenarios(), imageScenarios(), kernelScenarios(), kernelPulls())
	leaks, killed := 0, 0
	for _, point := range failpoint.Names() {
		if skipped(point) {
			continue
		}
		i := slices.IndexFunc(all, func(s scenario) bool { return s.has(point) })
		if i < 0 {
			t.Errorf("no scenario passes %s", point)
			continue
		}
		killed++
		h.killAt(point, all[i])
		if diff := h.settled(clean); diff != "" {
			leaks++
			t.Errorf("%s: left over: %s", point, diff)
		}
		if t.Failed() && leaks == 0 {
			return // the home is not what the next one expects
		}
	}
	shared.tell(report.Figure("fail points x kill", float64(killed), "points"))
	shared.tell(report.Figure("leaks after kill at a fail point", float64(leaks), "leaks").Against(0))
}

// killAt disturbs one scenario at one place and sees it through.
func (h *home) killAt(point string, s scenario) {
	h.t.Helper()
	h.must(s.prepare(h))
	h.kill()
	err := h.tryBoot(strings.TrimSuffix(point+"=kill;"+s.extra, ";"))
	if err == nil {
		err = s.act(h)
	}
	if !h.killed() {
		h.t.Fatalf("%s was not reached: %v", point, err)
	}
	h.boot("")
	if err := s.act(h); err != nil {
		h.t.Errorf("%s: the operation fails when it is repeated: %v", point, err)
	}
	for _, name := range h.vmNames() {
		if name != "v" && !h.has(name, model.VMRunning) { // one that was up goes on, as after a shutdown
			h.t.Errorf("%s: VM %s is left of a run", point, name)
		}
	}
	h.clear()
}

// TestErrorAtEachFailPoint lets each place fail once, one after the other, and
// repeats the operation until it succeeds.
func TestErrorAtEachFailPoint(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	failed := 0
	for _, s := range slices.Concat(scenarios(), diskScenarios(), imageScenarios(), kernelScenarios()) {
		points := slices.DeleteFunc(failpoint.Names(), func(p string) bool { return !s.has(p) || silent(p) || skipped(p) })
		if len(points) == 0 || s.extra != "" {
			continue
		}
		h.must(s.prepare(h))
		h.kill()
		h.boot(strings.Join(points, "=1*error:injected;") + "=1*error:injected")
		failed += h.untilDone(s, len(points))
		h.kill()
		h.boot("")
		h.clear()
		if diff := h.settled(clean); diff != "" {
			t.Errorf("%v: left over: %s", s.points, diff)
		}
	}
	shared.tell(report.Figure("fail points x error", float64(failed), "points"))
}

// silent are places whose error is logged and not returned: their operation
// goes on, or there is nobody to tell.
func silent(point string) bool {
	return strings.HasPrefix(point, "vm.watch/") || strings.Contains(point, ".recover/") || point == "vm.run/ended" || point == "volume.release/asked"
}

// untilDone repeats the scenario until it succeeds and returns how often it
// failed, which is at most once a place.
func (h *home) untilDone(s scenario, most int) (failed int) {
	h.t.Helper()
	for ; failed <= most; failed++ {
		err := s.act(h)
		if err == nil {
			return failed
		}
		if !strings.Contains(err.Error(), "injected") {
			h.t.Errorf("%v: %v", s.points, err)
		}
	}
	h.t.Errorf("%v: still failing after %d errors", s.points, failed)
	return failed
}

// kernelPulls are the scenarios that need a mirror.
func kernelPulls() []scenario {
	return []scenario{{
		points:  []string{"kernel.pull/"},
		prepare: func(*home) error { return nil },
		act:     (*home).pullKernel,
	}}
}
