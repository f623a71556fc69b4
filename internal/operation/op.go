package operation

import (
	"context"
	"slices"
	"sync"
	"time"

	"banger/internal/model"
)

// Op is one operation under way. Its methods may be called from any of the
// operation's goroutines.
type Op struct {
	cfg    Config
	report model.Report
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed at the end

	mu         sync.Mutex
	rec        model.Operation
	stageBegan time.Time // with the monotonic clock
	undos      []undoStep
	watchers   map[*watcher]struct{}
}

type undoStep struct {
	name string
	fn   func(context.Context) error
}

func newOp(cfg Config, kind, object string, report model.Report, cancel context.CancelCauseFunc) *Op {
	return &Op{
		cfg:      cfg,
		report:   report,
		cancel:   cancel,
		ended:    make(chan struct{}),
		watchers: map[*watcher]struct{}{},
		rec: model.Operation{
			ID:        model.NewID(),
			Kind:      kind,
			Object:    object,
			State:     model.OpRunning,
			Stages:    []model.Stage{},
			StartedAt: cfg.Now().UTC(),
		},
	}
}

// ID returns the operation's id, for the names of what it makes on the way.
func (o *Op) ID() string { return o.rec.ID }

// Stage begins a stage and ends the one before it; both are reported.
func (o *Op) Stage(name string) {
	o.tell(func() []model.Progress {
		events := o.endStage()
		o.rec.Stages = append(o.rec.Stages, model.Stage{Name: name})
		o.stageBegan = o.cfg.Now()
		return append(events, model.Progress{Operation: o.rec.ID, Stage: name})
	})
}

// Undo adds a step that takes back what has just been done. When the
// operation fails, its steps run in reverse order with a ctx of their own,
// which is not canceled with the caller's but has a deadline.
func (o *Op) Undo(name string, fn func(context.Context) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.undos = append(o.undos, undoStep{name, fn})
}

// Report passes p, the bytes of an item or a note, to the caller and to all
// watchers. The id of this operation is filled in unless p carries that of
// another, whose progress is passed on.
func (o *Op) Report(p model.Progress) {
	if p.Operation == "" {
		p.Operation = o.rec.ID
	}
	o.tell(func() []model.Progress { return []model.Progress{p} })
}

// tell changes the record and passes on the reports that change returns. The
// watchers get theirs under the lock, so that one who starts to watch has each
// stage either from the record or as a report.
func (o *Op) tell(change func() []model.Progress) {
	o.mu.Lock()
	events := change()
	for _, p := range events {
		for w := range o.watchers {
			w.offer(p)
		}
	}
	o.mu.Unlock()
	for _, p := range events {
		o.report(p)
	}
}

// endStage closes the stage under way, if any, and returns its report. The
// caller holds mu.
func (o *Op) endStage() []model.Progress {
	n := len(o.rec.Stages)
	if n == 0 || o.rec.Stages[n-1].Done {
		return nil
	}
	last := &o.rec.Stages[n-1]
	last.Done = true
	last.Millis = o.cfg.Now().Sub(o.stageBegan).Milliseconds()
	return []model.Progress{{Operation: o.rec.ID, Stage: last.Name, Done: true, Millis: last.Millis}}
}

// end closes the record: done when failure is nil.
func (o *Op) end(failure *model.Error) {
	o.tell(func() []model.Progress {
		o.rec.EndedAt = o.cfg.Now().UTC()
		o.rec.Error = failure
		o.rec.State = endState(failure)
		return o.endStage()
	})
	close(o.ended)
}

func endState(failure *model.Error) model.OperationState {
	switch {
	case failure == nil:
		return model.OpDone
	case failure.Code == model.CodeCanceled:
		return model.OpCanceled
	}
	return model.OpFailed
}

// snapshot returns the record as it stands; a stage under way has taken the
// time until now.
func (o *Op) snapshot() model.Operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	rec := o.rec
	rec.Stages = slices.Clone(o.rec.Stages)
	if n := len(rec.Stages); n > 0 && !rec.Stages[n-1].Done {
		rec.Stages[n-1].Millis = o.cfg.Now().Sub(o.stageBegan).Milliseconds()
	}
	return rec
}
