package vm

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/proc"
)

// Times between two looks for the process of a VM that is unknown.
const (
	firstSeek = 500 * time.Millisecond
	lastSeek  = 30 * time.Second
)

// seek looks for a VM that is unknown, or whose end could not be recorded, less
// and less often, until it is found or certain to be gone, or somebody else has
// settled it. It returns at once.
func (s *Service) seek(ctx context.Context, id string) {
	ctx, ok := s.seekers.begin(context.WithoutCancel(ctx), id)
	if !ok {
		return
	}
	go func() {
		defer s.seekers.end(id)
		for wait := firstSeek; sleep(ctx, wait) && !s.found(ctx, id); {
			wait = min(2*wait, lastSeek)
		}
	}()
}

// found tells whether there is nothing left to seek.
func (s *Service) found(ctx context.Context, id string) bool {
	unlock, err := s.lock(ctx, id)
	if err != nil {
		return true // the daemon stops
	}
	defer unlock()
	vm, err := s.cfg.Store.VM(ctx, id)
	if err != nil {
		return model.CodeOf(err) == model.CodeNotFound
	}
	if s.lookup(id) != nil || vm.Runtime.Generation == "" {
		return true
	}
	if err := s.settle(ctx, vm, attachTimeout); err != nil {
		return false
	}
	s.cfg.Log.Info("a VM that was unknown has been settled", "vm", vm.Name)
	return true
}

// killUnknown ends the process of a VM that does not answer, because somebody
// asked for it. The process is that of the row beyond doubt: boot, pid and
// start time agree. A row without them is left alone.
func (s *Service) killUnknown(ctx context.Context, vm model.VM) error {
	p, err := proc.Open(vm.Runtime.Process)
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	_, err = p.Wait(ctx)
	return err
}
