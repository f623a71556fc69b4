package soak

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/report"
)

// known is what a client knows of its VM from the answers that it got.
type known string

const (
	absent  known = "absent"
	stopped known = "stopped"
	running known = "running"
	unsure  known = "unsure" // the daemon died before it answered
)

// client works on a VM of its own, so that it knows how it stands.
type client struct {
	h    *home
	rand *rand.Rand
	name string
	vm   known

	alive bool // the daemon is not killed: each error counts
}

// step does one operation at random. An error that is not the daemon's death
// is returned, unless what the client knows explains it.
func (c *client) step() error {
	type verb struct {
		call  func(name string) error
		leads map[known]known // from what to what; else it is refused
	}
	verbs := []verb{
		{func(name string) error { return c.h.createVM(name, false) }, map[known]known{absent: stopped}},
		{c.h.startNew, map[known]known{absent: running}},
		{c.h.startVM, map[known]known{stopped: running, running: running}},
		{c.h.stopVM, map[known]known{stopped: stopped, running: stopped}},
		{c.h.killVM, map[known]known{stopped: stopped, running: stopped}},
		{c.h.deleteVM, map[known]known{stopped: absent, running: absent}},
	}
	v := verbs[c.rand.IntN(len(verbs))]
	before := c.vm
	next, allowed := v.leads[before]
	c.vm = unsure
	err := v.call(c.name)
	switch code := model.CodeOf(err); {
	case err == nil && allowed:
		c.vm = next
	case err == nil && before != unsure:
		return fmt.Errorf("%s is %s, and yet it went well", c.name, before)
	case before != unsure && !allowed && (code == model.CodeNotFound || code == model.CodeConflict):
		c.vm = before
	case err != nil && allowed && (c.alive || !lost(err)):
		return fmt.Errorf("%s is %s: %w", c.name, before, err)
	}
	return nil
}

// lost: the daemon was not there, or went away before it answered.
func lost(err error) bool {
	switch model.CodeOf(err) {
	case model.CodeUnreachable, model.CodeInternal, model.CodeCanceled:
		return true
	}
	return false
}

// check compares what the client knows with what the daemon says, and makes
// sure of what it does not know.
func (c *client) check() error {
	vm, err := c.h.ShowVM(c.h.t.Context(), rpc.NameParams{Name: c.name})
	now := stopped
	switch {
	case model.CodeOf(err) == model.CodeNotFound:
		now = absent
	case err != nil:
		return err
	case vm.State == model.VMRunning:
		now = running
	case vm.State != model.VMStopped && vm.State != model.VMFailed:
		return fmt.Errorf("%s is %s: %s", c.name, vm.State, vm.Reason)
	}
	if c.vm != unsure && c.vm != now {
		return fmt.Errorf("%s was acknowledged to be %s and is %s: %s", c.name, c.vm, now, vm.Reason)
	}
	c.vm = now
	return nil
}

// TestKilledAtRandom kills the daemon at random moments while clients work.
// What was acknowledged is there after each start, no guest has been stopped
// that nobody stopped, and at the end nothing is left over.
func TestKilledAtRandom(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = &client{h: h, rand: rand.New(rand.NewPCG(seed, uint64(i)+1)), name: fmt.Sprintf("v%02d", i), vm: absent}
	}
	kills := shared.pick(50, 2000)
	wrong := 0
	for range kills {
		h.workUntilKilled(clients, time.Duration(moments.IntN(60))*time.Millisecond)
		h.boot("")
		for _, c := range clients {
			if err := c.check(); err != nil {
				wrong++
				t.Error(err)
			}
		}
	}
	h.clear()
	diff := h.settled(clean)
	if diff != "" {
		t.Errorf("left over: %s", diff)
	}
	shared.tell(report.Figure("kills at random moments", float64(kills), "kills"))
	shared.tell(report.Figure("acknowledged and lost", float64(wrong), "VMs").Against(0))
}

// workUntilKilled lets the clients work for a while and kills the daemon
// under them.
func (h *home) workUntilKilled(clients []*client, moment time.Duration) {
	h.t.Helper()
	var working sync.WaitGroup
	dying := make(chan struct{})
	for _, c := range clients {
		working.Go(func() {
			for {
				select {
				case <-dying:
					return
				default:
				}
				if err := c.step(); err != nil {
					h.t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(moment)
	close(dying)
	h.kill()
	working.Wait()
}
