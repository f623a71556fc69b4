package operation

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
)

var _ rpc.OperationAPI = (*Service)(nil)

// Defaults of Config.
const (
	DefaultKeep        = 1000
	DefaultUndoTimeout = 2 * time.Minute
)

// OpStore keeps operations across daemons.
type OpStore interface {
	// SaveOperations inserts or replaces ops in one transaction and then
	// forgets all but the newest keep.
	SaveOperations(ctx context.Context, ops []model.Operation, keep int) error
	// Operations returns what is kept, oldest first.
	Operations(ctx context.Context) ([]model.Operation, error)
	// InterruptOperations turns running operations into interrupted ones
	// that ended at the given time, and returns how many there were.
	InterruptOperations(ctx context.Context, at time.Time) (int, error)
}

// Config is what a Service is made of. Store is needed; the rest has defaults.
type Config struct {
	Store       OpStore
	Now         func() time.Time      // default time.Now
	Log         *slog.Logger          // default: discards
	Keep        int                   // operations in the history; default DefaultKeep
	UndoTimeout time.Duration         // for all undo steps of one operation; default DefaultUndoTimeout
	Begun       func(model.Operation) // called at the beginning of each operation; may be nil
	Ended       func(model.Operation) // called after each operation; may be nil
}

// Service runs operations and shows them. It implements rpc.OperationAPI.
type Service struct {
	cfg   Config
	locks lockTable

	mu      sync.Mutex
	live    map[string]*Op
	unsaved map[string]model.Operation // newest snapshot of each, not yet in the store
	saving  bool                       // a goroutine writes unsaved to the store
	closed  bool
	running sync.WaitGroup // operations and the saving goroutine
}

// New returns a Service. Recover is to be called before the first operation.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Keep <= 0 {
		cfg.Keep = DefaultKeep
	}
	if cfg.UndoTimeout <= 0 {
		cfg.UndoTimeout = DefaultUndoTimeout
	}
	return &Service{
		cfg:     cfg,
		locks:   lockTable{entries: map[string]*lockEntry{}},
		live:    map[string]*Op{},
		unsaved: map[string]model.Operation{},
	}
}

// Recover marks the operations that an earlier daemon left running as interrupted.
func (s *Service) Recover(ctx context.Context) error {
	if err := failpoint.Hit(ctx, "operation.recover/begun"); err != nil {
		return err
	}
	n, err := s.cfg.Store.InterruptOperations(ctx, s.cfg.Now().UTC())
	if err != nil {
		return model.Errorf(model.CodeOf(err), "marking interrupted operations: %w", err)
	}
	if n > 0 {
		s.cfg.Log.Info("operations were interrupted", "count", n)
	}
	return nil
}

// Close refuses new operations, cancels those under way, and returns when all
// have ended and are saved, or with ctx's error.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for _, op := range s.live {
		op.cancel(errShutdown)
	}
	s.mu.Unlock()

	idle := make(chan struct{})
	go func() {
		s.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return gaveUp(ctx, "all operations to end")
	}
}

// Running returns how many operations are under way.
func (s *Service) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// gaveUp is the error of a wait that ctx ended.
func gaveUp(ctx context.Context, what string) error {
	code := model.CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = model.CodeTimeout
	}
	return model.Errorf(code, "waiting for %s: %w", what, ctx.Err())
}

// enter makes op live, unless the service is closed.
func (s *Service) enter(op *Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return model.Errorf(model.CodeUnreachable, "%s: the daemon is shutting down", op.rec.Kind).
			WithHint("run the command again: the next daemon starts by itself")
	}
	s.live[op.rec.ID] = op
	s.running.Add(1)
	return nil
}

// leave ends op's life; its last snapshot goes to the store.
func (s *Service) leave(ctx context.Context, op *Op) {
	rec := op.snapshot()
	s.save(ctx, rec) // before it is not live any more, so that it is always to be seen
	s.mu.Lock()
	delete(s.live, rec.ID)
	s.mu.Unlock()
	if s.cfg.Ended != nil {
		s.cfg.Ended(rec)
	}
	s.running.Done()
}
