package operation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memStore is an OpStore in memory.
type memStore struct {
	mu    sync.Mutex
	rows  []model.Operation
	saves int
	gate  chan struct{} // when not nil, each save takes one value first
	fail  error
}

func (m *memStore) SaveOperations(ctx context.Context, ops []model.Operation, keep int) error {
	if m.gate != nil {
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.saves++
	for _, op := range ops {
		i := slices.IndexFunc(m.rows, func(r model.Operation) bool { return r.ID == op.ID })
		if i < 0 {
			m.rows = append(m.rows, op)
		} else {
			m.rows[i] = op
		}
	}
	m.rows = m.rows[max(0, len(m.rows)-keep):]
	return nil
}

func (m *memStore) Operations(context.Context) ([]model.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows), nil
}

func (m *memStore) InterruptOperations(_ context.Context, at time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for i := range m.rows {
		if m.rows[i].State == model.OpRunning {
			m.rows[i].Interrupt(at)
			n++
		}
	}
	return n, nil
}

// clock is a time that goes on by one second at each look.
func clock() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

func newService(t *testing.T, store *memStore) *operation.Service {
	t.Helper()
	s := operation.New(operation.Config{Store: store, Now: clock()})
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestDoReportsStagesAndSavesTheRecord(t *testing.T) {
	t.Parallel()
	store := &memStore{}
	s := newService(t, store)
	var got []model.Progress
	report := func(p model.Progress) { p.Operation = ""; got = append(got, p) }
	result, err := operation.Do(t.Context(), s, "image.pull", "debian", report,
		func(_ context.Context, op *operation.Op) (string, error) {
			op.Stage("resolve")
			op.Stage("pull")
			op.Report(model.Progress{Note: "half way"})
			return "made", nil
		})
	if err != nil || result != "made" {
		t.Fatalf("Do = %q, %v", result, err)
	}
	want := []model.Progress{
		{Stage: "resolve"},
		{Stage: "resolve", Done: true, Millis: 1000},
		{Stage: "pull"},
		{Note: "half way"},
		{Stage: "pull", Done: true, Millis: 2000},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("reports (-want +got):\n%s", d)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, _ := store.Operations(t.Context())
	if len(rows) != 1 {
		t.Fatalf("rows = %v", rows)
	}
	wantStages := []model.Stage{{Name: "resolve", Millis: 1000, Done: true}, {Name: "pull", Millis: 2000, Done: true}}
	if d := cmp.Diff(wantStages, rows[0].Stages); d != "" || rows[0].State != model.OpDone || rows[0].EndedAt.IsZero() {
		t.Errorf("row = %+v\n%s", rows[0], d)
	}
}

func TestFailureUndoesInReverse(t *testing.T) {
	t.Parallel()
	boot := model.Errorf(model.CodeBoot, "guest went away").WithHint("see the log")
	for name, tc := range map[string]struct {
		fail  func() error
		code  model.Code
		state model.OperationState
		hint  string
	}{
		"error with a code": {func() error { return boot }, model.CodeBoot, model.OpFailed, "see the log"},
		"plain error":       {func() error { return errors.New("odd") }, model.CodeInternal, model.OpFailed, ""},
		"panic": {func() error { panic("oops") }, model.CodeInternal, model.OpFailed,
			"this is a fault of banger; the daemon's log has the details"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, &memStore{})
			var undone []string
			_, err := operation.Do(t.Context(), s, "vm.create", "web", model.Discard,
				func(_ context.Context, op *operation.Op) (int, error) {
					for _, step := range []string{"row", "disk", "process"} {
						op.Undo(step, func(ctx context.Context) error {
							undone = append(undone, step)
							return ctx.Err()
						})
					}
					return 1, tc.fail()
				})
			if model.CodeOf(err) != tc.code || model.HintOf(err) != tc.hint {
				t.Errorf("err = %v, code %s, hint %q", err, model.CodeOf(err), model.HintOf(err))
			}
			if d := cmp.Diff([]string{"process", "disk", "row"}, undone); d != "" {
				t.Errorf("undo order (-want +got):\n%s", d)
			}
			ops, err := s.ListOperations(t.Context())
			if err != nil || len(ops) != 1 || ops[0].State != tc.state || ops[0].Error == nil {
				t.Errorf("operations = %+v, %v", ops, err)
			}
		})
	}
}

func TestUndoGoesOnAfterAFailedStepAndACanceledCaller(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	ctx, cancel := context.WithCancel(t.Context())
	ran := 0
	_, err := operation.Do(ctx, s, "vm.create", "web", model.Discard,
		func(ctx context.Context, op *operation.Op) (int, error) {
			op.Undo("first", func(ctx context.Context) error {
				ran++
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("the undo ctx has no deadline")
				}
				return ctx.Err()
			})
			op.Undo("second", func(context.Context) error { ran++; return errors.New("stuck") })
			op.Undo("third", func(context.Context) error { ran++; panic("worse") })
			cancel()
			return 0, ctx.Err()
		})
	if ran != 3 {
		t.Errorf("%d of 3 undo steps ran", ran)
	}
	want := "context canceled; undoing third: internal error: worse\nundoing second: stuck"
	if model.CodeOf(err) != model.CodeCanceled || err.Error() != want {
		t.Errorf("err = %s %v", model.CodeOf(err), err)
	}
}

func TestDeadlineIsATimeout(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancel()
	_, err := operation.Do(ctx, s, "vm.start", "web", model.Discard,
		func(ctx context.Context, _ *operation.Op) (int, error) { return 0, ctx.Err() })
	if model.CodeOf(err) != model.CodeTimeout {
		t.Errorf("err = %s %v", model.CodeOf(err), err)
	}
}

// background runs an operation that waits for its ctx, and returns its id and
// the channel of its error.
func background(t *testing.T, s *operation.Service, body func(op *operation.Op)) (string, <-chan error) {
	t.Helper()
	started, ended := make(chan string), make(chan error, 1)
	ctx := t.Context()
	go func() {
		_, err := operation.Do(ctx, s, "image.pull", "debian", model.Discard,
			func(ctx context.Context, op *operation.Op) (int, error) {
				op.Stage("pull")
				started <- op.ID()
				if body != nil {
					body(op)
				}
				<-ctx.Done()
				return 0, ctx.Err()
			})
		ended <- err
	}()
	return <-started, ended
}

func TestCancelFromElsewhere(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	id, ended := background(t, s, nil)
	rec, err := s.CancelOperation(t.Context(), rpc.IDParams{ID: id[:8]})
	if err != nil || rec.State != model.OpCanceled {
		t.Fatalf("CancelOperation = %+v, %v", rec, err)
	}
	if err := <-ended; model.CodeOf(err) != model.CodeCanceled || err.Error() != "image.pull debian: canceled by another call" {
		t.Errorf("Do = %v", err)
	}
	if _, err := s.CancelOperation(t.Context(), rpc.IDParams{ID: id}); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("second cancel = %v", err)
	}
}

func TestWatchReplaysAndFollows(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	goOn := make(chan struct{})
	id, ended := background(t, s, func(op *operation.Op) {
		<-goOn
		op.Stage("build")
	})
	var seen []string
	report := func(p model.Progress) {
		if p.Stage == "pull" && !p.Done {
			close(goOn)
		}
		if p.Stage == "build" && !p.Done {
			go func() { _, _ = s.CancelOperation(t.Context(), rpc.IDParams{ID: id}) }()
		}
		seen = append(seen, p.Stage)
	}
	rec, err := s.WatchOperation(t.Context(), rpc.IDParams{ID: id}, report)
	if err != nil || rec.State != model.OpCanceled {
		t.Fatalf("WatchOperation = %+v, %v", rec, err)
	}
	if err := <-ended; model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("Do = %v", err)
	}
	if d := cmp.Diff([]string{"pull", "pull", "build", "build"}, seen); d != "" {
		t.Errorf("seen (-want +got):\n%s", d)
	}
	seen = nil
	again, err := s.WatchOperation(t.Context(), rpc.IDParams{ID: id}, func(p model.Progress) { seen = append(seen, p.Stage) })
	if err != nil || again.State != model.OpCanceled || len(seen) != 4 {
		t.Errorf("watching what has ended: %+v, %v, %v", again, err, seen)
	}
}

func TestSlowWatcherDoesNotHoldTheOperation(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	watching, reported := make(chan struct{}), make(chan struct{})
	id, ended := background(t, s, func(op *operation.Op) {
		<-watching
		for range 10000 {
			op.Report(model.Progress{Note: "tick"})
		}
		close(reported)
	})
	once := sync.Once{}
	watched := make(chan error, 1)
	go func() {
		_, err := s.WatchOperation(t.Context(), rpc.IDParams{ID: id}, func(model.Progress) {
			once.Do(func() { close(watching) })
			<-reported // this watcher takes nothing until the operation has said it all
		})
		watched <- err
	}()
	<-reported
	if _, err := s.CancelOperation(t.Context(), rpc.IDParams{ID: id}); err != nil {
		t.Error(err)
	}
	if err := <-watched; err != nil {
		t.Error(err)
	}
	if err := <-ended; model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("Do = %v", err)
	}
}

func TestWatchEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	id, ended := background(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.WatchOperation(ctx, rpc.IDParams{ID: id}, func(model.Progress) { cancel() })
	if model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("WatchOperation = %v", err)
	}
	if rec, err := s.ShowOperation(t.Context(), rpc.IDParams{ID: id}); err != nil || rec.State != model.OpRunning {
		t.Errorf("the watched operation = %+v, %v", rec, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil || err.Error() != "image.pull debian: the daemon is shutting down" {
		t.Errorf("Do = %v", err)
	}
}

func TestUnknownAndAmbiguousIDs(t *testing.T) {
	t.Parallel()
	store := &memStore{rows: []model.Operation{{ID: "ab01", State: model.OpDone}, {ID: "ab02", State: model.OpDone}}}
	s := newService(t, store)
	for id, want := range map[string]model.Code{
		"ab": model.CodeConflict, "": model.CodeNotFound, "ff": model.CodeNotFound, "ab01": "", "ab02": "",
	} {
		if _, err := s.ShowOperation(t.Context(), rpc.IDParams{ID: id}); model.CodeOf(err) != want {
			t.Errorf("ShowOperation(%q) = %v", id, err)
		}
	}
}

func TestClosedServiceRefuses(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := operation.Do(t.Context(), s, "vm.start", "web", model.Discard,
		func(context.Context, *operation.Op) (int, error) { t.Error("it ran"); return 0, nil })
	if model.CodeOf(err) != model.CodeUnreachable {
		t.Errorf("Do = %v", err)
	}
}

func TestRecoverMarksInterrupted(t *testing.T) {
	t.Parallel()
	store := &memStore{rows: []model.Operation{{ID: "01", State: model.OpRunning}, {ID: "02", State: model.OpDone}}}
	s := newService(t, store)
	if err := s.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, err := s.ShowOperation(t.Context(), rpc.IDParams{ID: "01"})
	if err != nil || rec.State != model.OpInterrupted || rec.EndedAt.IsZero() || model.HintOf(rec.Error) == "" {
		t.Errorf("ShowOperation = %+v, %v", rec, err)
	}
}

func TestSavesAreGroupedAndNeverWaitedFor(t *testing.T) {
	t.Parallel()
	store := &memStore{gate: make(chan struct{})}
	s := newService(t, store)
	for range 50 { // nothing can be saved yet: Do must return all the same
		if _, err := operation.Do(t.Context(), s, "vm.start", "web", model.Discard,
			func(context.Context, *operation.Op) (int, error) { return 0, nil }); err != nil {
			t.Fatal(err)
		}
	}
	ops, err := s.ListOperations(t.Context())
	if err != nil || len(ops) != 50 {
		t.Fatalf("%d operations listed, %v", len(ops), err)
	}
	close(store.gate)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(store.rows) != 50 || store.saves > 3 {
		t.Errorf("%d rows in %d saves", len(store.rows), store.saves)
	}
}

func TestFailingStoreDoesNotFailOperations(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{fail: errors.New("disk full")})
	if _, err := operation.Do(t.Context(), s, "vm.start", "web", model.Discard,
		func(context.Context, *operation.Op) (int, error) { return 0, nil }); err != nil {
		t.Error(err)
	}
}
