package operation

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"banger/internal/model"
)

// saveTimeout bounds one write of the history.
const saveTimeout = 30 * time.Second

// save hands rec to the goroutine that writes the history and returns at
// once: nothing but the history depends on these rows, so no call waits for a
// disk. What arrives while a write is under way goes out with the next one.
func (s *Service) save(ctx context.Context, rec model.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved[rec.ID] = rec
	if s.saving {
		return
	}
	s.saving = true
	s.running.Add(1)
	go s.saveAll(context.WithoutCancel(ctx))
}

// saveAll writes until nothing is unsaved. A row that cannot be written is
// logged and given up: a full disk must not hold memory.
func (s *Service) saveAll(ctx context.Context) {
	defer s.running.Done()
	for {
		batch := s.nextBatch()
		if len(batch) == 0 {
			return
		}
		if err := s.write(ctx, batch); err != nil {
			s.cfg.Log.Warn("saving operations", "count", len(batch), "err", err)
		}
		s.saved(batch)
	}
}

func (s *Service) write(ctx context.Context, batch []model.Operation) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	return s.cfg.Store.SaveOperations(ctx, batch, s.cfg.Keep)
}

// nextBatch returns what is unsaved, oldest first. The rows stay visible in
// unsaved until saved is called.
func (s *Service) nextBatch() []model.Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := slices.SortedFunc(maps.Values(s.unsaved), byStart)
	s.saving = len(batch) > 0
	return batch
}

// saved forgets the rows of batch that have not changed since.
func (s *Service) saved(batch []model.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range batch {
		if s.unsaved[rec.ID].State == rec.State {
			delete(s.unsaved, rec.ID)
		}
	}
}

func byStart(a, b model.Operation) int {
	return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
}
