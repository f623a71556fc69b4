package vm

import (
	"context"
	"fmt"
	"time"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/proc"
)

// idleCheck is how often it is looked whether a guest works.
const idleCheck = 10 * time.Second

// busyShare is the share of one processor from which a VM counts as working.
// An idle guest takes 1-3 % when it is emulated, less on KVM.
const busyShare = 0.06

// expire stops a VM when its time to live is over or it has been idle for as
// long as it may. It returns at once; what it starts ends with the VM.
//
//	work is  a process that somebody is attached to,
//	         or processor time that an idle guest does not take: network and
//	         disks cannot be busy without
func (s *Service) expire(ctx context.Context, vm model.VM, l *live) {
	p := vm.Spec.Policy
	if p.TTLSeconds == 0 && p.IdleSeconds == 0 || !l.keep() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		idle := idleness{since: s.cfg.Now(), share: s.processorShare(l)}
		for {
			now, err := s.cfg.Store.VM(ctx, l.vmID)
			if err != nil || now.Runtime.Generation != l.generation {
				return
			}
			why, wait := s.verdict(now, l, &idle)
			if why != "" {
				s.stopExpired(ctx, now, l, why)
				return
			}
			select {
			case <-l.gone:
				return
			case <-time.After(wait):
			}
		}
	}()
}

// verdict returns why a VM is to be stopped now, or how long to wait until it
// is worth looking again.
func (s *Service) verdict(vm model.VM, l *live, idle *idleness) (why string, wait time.Duration) {
	p, now := vm.Spec.Policy, s.cfg.Now()
	wait = idleCheck
	if ttl := time.Duration(p.TTLSeconds) * time.Second; ttl > 0 {
		left := ttl - now.Sub(vm.StartedAt)
		if left <= 0 {
			return fmt.Sprintf("its time to live of %s is over", ttl), 0
		}
		wait = min(wait, left)
	}
	if limit := time.Duration(p.IdleSeconds) * time.Second; limit > 0 {
		if idle.share() > busyShare || vm.State != model.VMRunning {
			idle.since = now
		}
		if last := l.lastWork(now); last.After(idle.since) {
			idle.since = last
		}
		left := limit - now.Sub(idle.since)
		if left <= 0 {
			return fmt.Sprintf("it was idle for %s", limit), 0
		}
		wait = min(wait, left)
	}
	return "", max(wait, time.Millisecond)
}

// idleness is what is remembered between two looks.
type idleness struct {
	since time.Time
	share func() float64 // of one processor, since the last call
}

// processorShare returns a function that measures what the VM's process has
// used since it was last called; 0 when that cannot be known.
func (s *Service) processorShare(l *live) func() float64 {
	id := l.machine.Record().Process
	used, _ := proc.CPUTime(id)
	at := s.cfg.Now()
	return func() float64 {
		usedNow, err := proc.CPUTime(id)
		now := s.cfg.Now()
		if err != nil || !now.After(at) {
			return 0
		}
		share := float64(usedNow-used) / float64(now.Sub(at))
		used, at = usedNow, now
		return share
	}
}

// stopExpired stops a VM as its user would, with the reason in the row.
func (s *Service) stopExpired(ctx context.Context, vm model.VM, l *live, why string) {
	_, err := operation.Do(ctx, s.cfg.Ops, "vm.stop", vm.Name, model.Discard, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		unlock, err := s.lock(ctx, vm.ID)
		if err != nil {
			return vm, err
		}
		defer unlock()
		if l.isGone() || s.lookup(vm.ID) != l {
			return vm, nil
		}
		l.expect(model.VMStopped, why)
		return s.stop(ctx, op, vm, defaultGrace)
	})
	if err != nil {
		s.cfg.Log.Error("stopping a VM", "vm", vm.Name, "why", why, "err", err)
	}
}
