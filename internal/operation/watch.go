package operation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

// watchBuffer is how many reports a slow watcher may lag behind before it
// misses some. The operation never waits for a watcher.
const watchBuffer = 256

// watcher takes reports for one WatchOperation.
type watcher struct {
	events chan model.Progress
}

// offer never blocks: what does not fit is lost to this watcher.
func (w *watcher) offer(p model.Progress) {
	select {
	case w.events <- p:
	default:
	}
}

// ListOperations returns the operations under way and the history, oldest first.
func (s *Service) ListOperations(ctx context.Context) ([]model.Operation, error) {
	// Memory before the store: what leaves memory meanwhile is in the store by then.
	s.mu.Lock()
	unsaved := maps.Clone(s.unsaved)
	live := slices.Collect(maps.Values(s.live))
	s.mu.Unlock()
	rows, err := s.cfg.Store.Operations(ctx)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "listing operations: %w", err)
	}
	byID := make(map[string]model.Operation, len(rows)+len(unsaved))
	for _, rec := range rows {
		byID[rec.ID] = rec
	}
	maps.Copy(byID, unsaved)
	for _, op := range live {
		byID[op.ID()] = op.snapshot()
	}
	return slices.SortedFunc(maps.Values(byID), byStart), nil
}

// ShowOperation returns one operation by its id or a unique prefix of it.
func (s *Service) ShowOperation(ctx context.Context, p rpc.IDParams) (model.Operation, error) {
	if op := s.liveOp(p.ID); op != nil {
		return op.snapshot(), nil
	}
	all, err := s.ListOperations(ctx)
	if err != nil {
		return model.Operation{}, err
	}
	return match(all, p.ID)
}

// WatchOperation reports the stages so far and then what happens, until the
// operation ends.
func (s *Service) WatchOperation(ctx context.Context, p rpc.IDParams, report model.Report) (model.Operation, error) {
	rec, err := s.ShowOperation(ctx, p)
	if err != nil {
		return model.Operation{}, err
	}
	op := s.liveOp(rec.ID)
	if op == nil {
		replay(rec, report)
		return rec, nil
	}
	w, rec := op.watch()
	defer op.unwatch(w)
	replay(rec, report)
	for {
		select {
		case event := <-w.events:
			report(event)
		case <-op.ended:
			w.drain(report)
			return op.snapshot(), nil
		case <-ctx.Done():
			return model.Operation{}, gaveUp(ctx, "operation "+rec.ID)
		}
	}
}

// CancelOperation ends an operation under way and returns when it has undone
// what it did.
func (s *Service) CancelOperation(ctx context.Context, p rpc.IDParams) (model.Operation, error) {
	rec, err := s.ShowOperation(ctx, p)
	if err != nil {
		return model.Operation{}, err
	}
	op := s.liveOp(rec.ID)
	if op == nil {
		return model.Operation{}, model.Errorf(model.CodeConflict, "operation %s is %s already", rec.ID, rec.State)
	}
	op.cancel(errCanceled)
	select {
	case <-op.ended:
		return op.snapshot(), nil
	case <-ctx.Done():
		return model.Operation{}, gaveUp(ctx, "operation "+rec.ID+" to end")
	}
}

// liveOp returns the operation of that id when it is under way, or nil.
func (s *Service) liveOp(id string) *Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id]
}

// watch adds a watcher; what rec tells will not be offered to it.
func (o *Op) watch() (*watcher, model.Operation) {
	w := &watcher{events: make(chan model.Progress, watchBuffer)}
	o.mu.Lock()
	defer o.mu.Unlock()
	rec := o.rec
	rec.Stages = slices.Clone(o.rec.Stages)
	o.watchers[w] = struct{}{}
	return w, rec
}

func (o *Op) unwatch(w *watcher) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.watchers, w)
}

// drain reports what is left in the buffer.
func (w *watcher) drain(report model.Report) {
	for {
		select {
		case p := <-w.events:
			report(p)
		default:
			return
		}
	}
}

// replay reports the stages that rec has gone through.
func replay(rec model.Operation, report model.Report) {
	for _, stage := range rec.Stages {
		report(model.Progress{Operation: rec.ID, Stage: stage.Name})
		if stage.Done {
			report(model.Progress{Operation: rec.ID, Stage: stage.Name, Done: true, Millis: stage.Millis})
		}
	}
}

// match finds the operation that id names: in full or by a unique prefix.
func match(all []model.Operation, id string) (model.Operation, error) {
	var found []model.Operation
	for _, rec := range all {
		if rec.ID == id {
			return rec, nil
		}
		if id != "" && strings.HasPrefix(rec.ID, id) {
			found = append(found, rec)
		}
	}
	switch len(found) {
	case 0:
		return model.Operation{}, model.Errorf(model.CodeNotFound, "operation %q does not exist", id).
			WithHint("see `banger operation list`")
	case 1:
		return found[0], nil
	}
	return model.Operation{}, model.Errorf(model.CodeConflict, "%q begins the ids of %d operations", id, len(found)).
		WithHint("give more of the id; see `banger operation list`")
}
