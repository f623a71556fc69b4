package vm

import (
	"context"

	"banger/internal/model"
)

// tellStalls tells of a guest that waits for room on the host's disk, until
// its process ends.
func (s *Service) tellStalls(ctx context.Context, l *live) {
	for {
		select {
		case <-l.gone:
			return
		case stalled := <-l.machine.Stalls():
			l.stalled.Store(stalled)
			s.tellStall(ctx, l, stalled)
		}
	}
}

func (s *Service) tellStall(ctx context.Context, l *live, stalled bool) {
	vm, err := s.cfg.Store.VM(ctx, l.vmID)
	if err != nil {
		return // it is being deleted
	}
	e := model.Event{ID: vm.ID, Name: vm.Name, Action: "waits", Detail: "for room on the host's disk: what it writes does not fit"}
	if !stalled {
		e.Action, e.Detail = "goes on", "there is room again"
	}
	s.rows.tell(e)
	s.cfg.Log.Warn("a VM "+e.Action, "vm", vm.Name, "why", e.Detail)
}

// refuseStalled refuses what a guest that waits would not answer.
func refuseStalled(vm model.VM, l *live) error {
	if l == nil || !l.stalled.Load() {
		return nil
	}
	return model.Errorf(model.CodeNoSpace, "VM %s waits for room on the host's disk: what it writes does not fit", vm.Name).
		WithHint("make room, and it goes on by itself: `banger system df` shows what takes it")
}
