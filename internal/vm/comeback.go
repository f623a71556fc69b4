package vm

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/operation"
)

// Times between a VM's end and its next start by its restart policy.
const (
	firstBackOff = 500 * time.Millisecond
	lastBackOff  = time.Minute
	// ranWell is how long a VM has run when its next end is a new story.
	ranWell = 10 * time.Second
)

// comebacks are the VMs that wait for being started by their policy.
type comebacks struct {
	mu      sync.Mutex
	closed  bool
	waiting map[string]context.CancelFunc // by VM id
	all     sync.WaitGroup
}

// comeBack starts a VM that has ended again, when its policy says so. It
// returns at once.
//
//	wait   longer after each try that did not last; stop, start or delete end it
//	guard  under the VM's lock: it is still as it ended, and its policy still says so
//	count  restarts, in the row
//	start  as an operation like any other; one that fails is tried again
func (s *Service) comeBack(ctx context.Context, vm model.VM, daemonStart bool) {
	if !vm.Spec.Policy.ComesBack(vm.Ended, vm.Restarts, daemonStart) {
		return
	}
	ctx, ok := s.comebacks.begin(context.WithoutCancel(ctx), vm.ID)
	if !ok {
		return
	}
	go func() {
		defer s.comebacks.end(vm.ID)
		for again := true; again; {
			if !sleep(ctx, backOff(vm.Restarts)) {
				return
			}
			vm, again = s.tryComeBack(ctx, vm, daemonStart)
		}
	}()
}

// errMoot: whoever acted on the VM meanwhile has decided.
var errMoot = errors.New("not as it was")

// tryComeBack is one start; again tells whether another is to be tried.
func (s *Service) tryComeBack(ctx context.Context, vm model.VM, daemonStart bool) (now model.VM, again bool) {
	var counted model.VM
	_, err := operation.Do(ctx, s.cfg.Ops, "vm.start", vm.Name, model.Discard, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		unlock, err := s.lock(ctx, vm.ID)
		if err != nil {
			return vm, err
		}
		defer unlock()
		counted, err = s.cfg.Store.UpdateVM(ctx, vm.ID, func(now *model.VM) error {
			asItWas := (now.State == model.VMStopped || now.State == model.VMFailed) && now.StoppedAt.Equal(vm.StoppedAt)
			if !asItWas || !now.Spec.Policy.ComesBack(now.Ended, now.Restarts, daemonStart) {
				return errMoot
			}
			now.Restarts++
			return nil
		})
		if err != nil {
			return vm, err
		}
		return s.start(ctx, op, counted)
	})
	if err == nil || counted.ID == "" || ctx.Err() != nil {
		return vm, false
	}
	s.cfg.Log.Warn("starting a VM by its restart policy", "vm", vm.Name, "restarts", counted.Restarts, "err", err)
	now, err = s.cfg.Store.UpdateVM(context.WithoutCancel(ctx), vm.ID, func(now *model.VM) error {
		if now.State != model.VMFailed {
			return errMoot
		}
		now.Ended = model.EndFailure // of a boot: to be tried again, by the next daemon too
		return nil
	})
	return now, err == nil && now.Spec.Policy.ComesBack(now.Ended, now.Restarts, daemonStart)
}

// backOff is the wait before the next start: doubled with each that did not
// last, and spread so that many VMs do not come back in one moment.
func backOff(restarts int) time.Duration {
	wait := lastBackOff
	if restarts < 7 {
		wait = firstBackOff << restarts
	}
	return wait + rand.N(wait/4) //nolint:gosec // a spread, no secret
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin makes a comeback known; false: one waits already, or none may any more.
func (c *comebacks) begin(ctx context.Context, id string) (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.waiting[id] != nil {
		return nil, false
	}
	if c.waiting == nil {
		c.waiting = map[string]context.CancelFunc{}
	}
	ctx, c.waiting[id] = context.WithCancel(ctx)
	c.all.Add(1)
	return ctx, true
}

func (c *comebacks) end(id string) {
	c.mu.Lock()
	cancel := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	cancel()
	c.all.Done()
}

// cancel ends the wait of one VM. It does not wait for a start under way.
func (c *comebacks) cancel(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.waiting[id]; cancel != nil {
		cancel()
	}
}

// close ends all waits and starts under way.
func (c *comebacks) close() {
	c.mu.Lock()
	c.closed = true
	for _, cancel := range c.waiting {
		cancel()
	}
	c.mu.Unlock()
	c.all.Wait()
}
