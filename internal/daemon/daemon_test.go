package daemon_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"banger/internal/daemon"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
	"banger/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pulls is an image service that pulls until its operation is canceled.
type pulls struct {
	rpc.ImageAPI
	operations *operation.Service
	undone     chan error
	canceled   *atomic.Bool // a call's ctx has ended
}

func (p pulls) PullImage(ctx context.Context, params rpc.ImagePullParams, report model.Report) (model.Image, error) {
	return operation.Do(ctx, p.operations, "image.pull", params.Ref, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) {
			op.Undo("staging", func(ctx context.Context) error { p.undone <- ctx.Err(); return nil })
			op.Stage("pull")
			<-ctx.Done()
			p.canceled.Store(true)
			return model.Image{}, ctx.Err()
		})
}

// world is a whole daemon on a socket.
type world struct {
	db     *store.Store
	client *rpc.Client
	daemon *daemon.Daemon
	undone chan error
	ended  chan struct{} // closed when Serve has returned served
	served error

	canceled, letGo, canceledFirst atomic.Bool
}

func start(t *testing.T, db *store.Store, recovery ...daemon.RecoveryStep) *world {
	t.Helper()
	w := &world{db: db, undone: make(chan error, 1), ended: make(chan struct{})}
	operations := operation.New(operation.Config{Store: db})
	w.daemon = daemon.New(daemon.Parts{
		Images:     pulls{operations: operations, undone: w.undone, canceled: &w.canceled},
		Operations: operations,
		Version:    model.VersionInfo{Version: "1.2.3"},
		Recovery:   append([]daemon.RecoveryStep{{What: "operations", Do: operations.Recover}}, recovery...),
		Log:        slog.New(slog.DiscardHandler),
		LetGo: func() {
			w.canceledFirst.Store(w.canceled.Load())
			w.letGo.Store(true)
		},
	})
	socket := filepath.Join(t.TempDir(), "run", "banger.sock")
	l, err := rpc.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(w.ended)
		w.served = w.daemon.Serve(ctx, l, func() { close(ready) })
	}()
	w.client = rpc.NewClient(socket)
	t.Cleanup(func() { cancel(); <-w.ended; w.client.Close() })
	select {
	case <-ready:
	case <-w.ended:
	}
	return w
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "banger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestDaemonAnswersUntilShutdown(t *testing.T) {
	t.Parallel()
	w := start(t, openStore(t))
	info, err := w.client.Version(t.Context())
	if err != nil || info.Version != "1.2.3" {
		t.Errorf("Version = %+v, %v", info, err)
	}
	if err := w.client.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if <-w.ended; w.served != nil {
		t.Errorf("Serve = %v", w.served)
	}
	if _, err := w.client.Version(t.Context()); model.CodeOf(err) != model.CodeUnreachable {
		t.Errorf("after the shutdown: %v", err)
	}
}

func TestShutdownUndoesAndRecordsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := start(t, openStore(t))
	var stages []string
	_, err := w.client.PullImage(t.Context(), rpc.ImagePullParams{Ref: "debian"}, func(p model.Progress) {
		stages = append(stages, p.Stage)
		if p.Stage == "pull" && !p.Done {
			go func() { _ = w.client.Shutdown(t.Context()) }()
		}
	})
	if model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("PullImage = %v", err)
	}
	if err := <-w.undone; err != nil {
		t.Errorf("the undo step's ctx: %v", err)
	}
	if <-w.ended; w.served != nil {
		t.Errorf("Serve = %v", w.served)
	}
	if d := cmp.Diff([]string{"pull", "pull", "undo", "undo"}, stages); d != "" {
		t.Error(d)
	}
	ops, err := w.db.Operations(t.Context())
	if err != nil || len(ops) != 1 || ops[0].State != model.OpCanceled {
		t.Errorf("operations = %+v, %v", ops, err)
	}
}

func TestVMsAreLetGoBeforeCallsAreCanceled(t *testing.T) {
	t.Parallel()
	w := start(t, openStore(t))
	pulled := make(chan error, 1)
	began := make(chan struct{})
	go func() {
		_, err := w.client.PullImage(t.Context(), rpc.ImagePullParams{Ref: "debian"}, func(p model.Progress) {
			if p.Stage == "pull" && !p.Done {
				close(began)
			}
		})
		pulled <- err
	}()
	<-began
	if err := w.client.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-pulled; model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("PullImage = %v", err)
	}
	if err := <-w.undone; err != nil {
		t.Errorf("the undo step's ctx: %v", err)
	}
	<-w.ended
	if !w.letGo.Load() || w.canceledFirst.Load() {
		t.Errorf("let go: %v, calls were canceled first: %v", w.letGo.Load(), w.canceledFirst.Load())
	}
}

func TestRecoveryRunsInOrderBeforeTheFirstCall(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	lost := model.Operation{ID: "01", Kind: "vm.start", State: model.OpRunning, Stages: []model.Stage{}}
	if err := db.SaveOperations(t.Context(), []model.Operation{lost}, 10); err != nil {
		t.Fatal(err)
	}
	var order []string
	note := func(what string) daemon.RecoveryStep {
		return daemon.RecoveryStep{What: what, Do: func(ctx context.Context) error {
			order = append(order, what)
			return ctx.Err()
		}}
	}
	w := start(t, db, note("images"), note("VMs"))
	if d := cmp.Diff([]string{"images", "VMs"}, order); d != "" {
		t.Error(d)
	}
	rec, err := w.client.ShowOperation(t.Context(), rpc.IDParams{ID: "01"})
	if err != nil || rec.State != model.OpInterrupted {
		t.Errorf("ShowOperation = %+v, %v", rec, err)
	}
}

func TestFailedRecoveryDoesNotServe(t *testing.T) {
	t.Parallel()
	bad := model.Errorf(model.CodeIntegrity, "rows and directories disagree").WithHint("look at it")
	w := start(t, openStore(t), daemon.RecoveryStep{What: "VMs", Do: func(context.Context) error { return bad }})
	<-w.ended
	err := w.served
	if !errors.Is(err, bad) || !strings.Contains(err.Error(), "recovering VMs: rows") || model.HintOf(err) != "look at it" {
		t.Errorf("Serve = %v", err)
	}
	if _, err := w.client.Version(t.Context()); model.CodeOf(err) != model.CodeUnreachable {
		t.Errorf("Version = %v", err)
	}
}
