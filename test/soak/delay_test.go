package soak

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/report"
)

// hold is how long each place waits.
const hold = "150ms"

// TestDelayAtEachFailPoint lets each place wait. Meanwhile the same is asked
// for once more, and others list and show: they are answered at once, the
// second call waits or is refused, and nothing is left over.
func TestDelayAtEachFailPoint(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	delayed, slowest := 0, time.Duration(0)
	for _, s := range slices.Concat(scenarios(), diskScenarios(), imageScenarios(), kernelScenarios()) {
		points := slices.DeleteFunc(failpoint.Names(), func(p string) bool { return !s.has(p) || skipped(p) })
		if len(points) == 0 || s.extra != "" {
			continue
		}
		h.must(s.prepare(h))
		h.kill()
		h.boot(strings.Join(points, "=1*delay:"+hold+";") + "=1*delay:" + hold)
		delayed += len(points)
		slowest = max(slowest, h.twiceAtOnce(s))
		h.clear()
		if diff := h.settled(clean); diff != "" {
			t.Errorf("%v: left over: %s", s.points, diff)
		}
	}
	shared.tell(report.Figure("fail points x delay", float64(delayed), "points"))
	shared.time(report.Figure("slowest list or show beside a delayed operation", slowest.Seconds(), "s").Against(1))
}

// twiceAtOnce runs the scenario and, while that is under way, once more. It
// returns how long others had to wait at most.
func (h *home) twiceAtOnce(s scenario) time.Duration {
	h.t.Helper()
	var acts sync.WaitGroup
	var errs [2]error
	for i := range errs {
		acts.Go(func() {
			time.Sleep(time.Duration(i) * 50 * time.Millisecond) // the first one is under way
			errs[i] = s.act(h)
		})
	}
	done := make(chan struct{})
	go func() { acts.Wait(); close(done) }()
	slowest := h.lookUntil(done)
	for _, err := range errs {
		if code := model.CodeOf(err); err != nil && code != model.CodeConflict && code != model.CodeNotFound {
			h.t.Errorf("%v: beside itself: %v", s.points, err)
		}
	}
	if errs[0] != nil && errs[1] != nil {
		h.t.Errorf("%v: neither of two was done: %v; %v", s.points, errs[0], errs[1])
	}
	return slowest
}

// lookUntil lists and shows VMs until done is closed, and returns how long the
// slowest call took.
func (h *home) lookUntil(done <-chan struct{}) (slowest time.Duration) {
	h.t.Helper()
	other := rpc.NewClient(h.paths.Socket())
	defer other.Close()
	for {
		begun := time.Now()
		_, listErr := other.ListVMs(h.t.Context())
		_, showErr := other.ShowVM(h.t.Context(), rpc.NameParams{Name: "v"})
		slowest = max(slowest, time.Since(begun))
		if err := errors.Join(listErr, gone(showErr)); err != nil {
			h.t.Errorf("looking meanwhile: %v", err)
		}
		select {
		case <-done:
			return slowest
		case <-time.After(10 * time.Millisecond):
		}
	}
}
