package vm

import (
	"context"
	"errors"
	"os"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
)

// watch waits for the end of a VM's process and cleans up after it:
//
//	1 wait     the process is gone                   (the console is kept short meanwhile)
//	2 wire     the connection to the agent is closed
//	3 undo     what the features prepared
//	4 row      stopped or failed, with the reason     (only if it is still this start's)
//	5 remove   the run directory; with AutoRemove the VM, unless it never came up:
//	           then whoever booted it decides
//	6 forget   the VM is not live any more; its restart policy may bring it back
//
// A daemon that ends between 3 and 4 leaves 3 to the next one, which does it
// again.
func (s *Service) watch(ctx context.Context, l *live, consolePath string) {
	defer close(l.gone)
	exit, err := waitTrimming(ctx, l.machine, consolePath) // 1
	if err != nil {
		s.forget(l) // let go of on purpose: the process goes on
		return
	}
	l.release()                                        // 2
	s.undoPrepared(ctx, l.vmID, l.generation)          // 3
	vm, err := s.recordExit(ctx, l, exit, consolePath) // 4
	if err != nil {
		s.cfg.Log.Error("recording the end of a VM", "vm", l.vmID, "err", err)
	}
	if err := s.sweepRun(ctx, l.generation); err != nil { // 5
		s.cfg.Log.Warn("removing a run directory", "vm", l.vmID, "err", err)
	}
	s.forget(l) // 6
	if err != nil {
		s.seek(ctx, l.vmID) // the row is wrong until it can be written
		return
	}
	s.comeBack(ctx, vm, false)
	if vm.Spec.AutoRemove && vm.State != model.VMDeleting && l.wasUp() {
		if err := s.remove(ctx, vm); err != nil {
			s.cfg.Log.Error("deleting a VM that has stopped", "vm", vm.Name, "err", err)
		}
	}
}

// undoPrepared gives back what the features hold for a start whose process is
// gone. A row of a later start is not touched: it holds things of its own.
func (s *Service) undoPrepared(ctx context.Context, id, generation string) {
	vm, err := s.cfg.Store.VM(ctx, id)
	if err == nil && vm.Runtime.Generation == generation {
		err = s.hooks.stop(ctx, vm)
	}
	if err != nil && model.CodeOf(err) != model.CodeNotFound {
		s.cfg.Log.Error("cleaning up after a VM", "vm", id, "err", err)
	}
}

// sweepRun removes the run directory of a start whose process has ended.
func (s *Service) sweepRun(ctx context.Context, generation string) error {
	err := failpoint.Hit(ctx, "vm.watch/recorded")
	return errors.Join(err, os.RemoveAll(s.runDir(generation)))
}

func (s *Service) forget(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[l.vmID] == l {
		delete(s.live, l.vmID)
	}
}

// waitTrimming is machine.Wait with the console file kept short.
func waitTrimming(ctx context.Context, m vmm.Machine, consolePath string) (vmm.Exit, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go console.KeepShort(ctx, consolePath)
	return m.Wait(ctx)
}

// recordExit writes how the VM ended. A row that belongs to a later start, or
// to none, is left alone.
func (s *Service) recordExit(ctx context.Context, l *live, exit vmm.Exit, consolePath string) (model.VM, error) {
	end := l.expected()
	if end == nil {
		end = judge(exit, consolePath)
	}
	if err := failpoint.Hit(ctx, "vm.watch/seen"); err != nil {
		return model.VM{}, err
	}
	errStale := errors.New("stale")
	vm, err := s.cfg.Store.UpdateVM(ctx, l.vmID, func(vm *model.VM) error {
		if vm.Runtime.Generation != l.generation {
			return errStale
		}
		if vm.State != model.VMDeleting {
			vm.State, vm.Reason = end.state, end.reason
		}
		vm.Runtime = model.VMRuntime{}
		vm.StoppedAt = exit.At
		vm.Ended = endKind(l, exit)
		if vm.StoppedAt.Sub(vm.StartedAt) >= ranWell {
			vm.Restarts = 0
		}
		return nil
	})
	if errors.Is(err, errStale) || model.CodeOf(err) == model.CodeNotFound {
		return model.VM{}, nil
	}
	return vm, err
}

// endKind is what a restart policy sees of an end. The end of a boot is none:
// whoever booted is told.
func endKind(l *live, exit vmm.Exit) model.EndKind {
	switch end := l.expected(); {
	case end != nil && end.state == model.VMStopped:
		return model.EndAsked
	case end != nil || !l.wasUp():
		return ""
	case exit.Reason == vmm.ExitPoweroff:
		return model.EndPoweroff
	default:
		return model.EndFailure
	}
}

// judge classes an end that nobody asked for.
func judge(exit vmm.Exit, consolePath string) *outcome {
	switch exit.Reason {
	case vmm.ExitPoweroff:
		return &outcome{model.VMStopped, "the guest switched itself off"}
	case vmm.ExitReset:
		return &outcome{model.VMFailed, "the guest rebooted or crashed" + lastWords(consolePath)}
	case vmm.ExitKilled:
		return &outcome{model.VMStopped, "its process was killed from outside"}
	case vmm.ExitCrashed:
		return &outcome{model.VMFailed, "the VM process failed: " + exit.Detail}
	default:
		return &outcome{model.VMStopped, "it ended while the daemon was away" + lastWords(consolePath)}
	}
}
