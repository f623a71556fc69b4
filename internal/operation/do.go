package operation

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"syscall"

	"banger/internal/failpoint"
	"banger/internal/model"
)

// The causes of a canceled operation, told in its error.
var (
	errCanceled = errors.New("canceled by another call")
	errShutdown = errors.New("the daemon is shutting down")
)

// Do runs fn as an operation of s: kind is the call ("image.pull"), object
// the name of what it works on. Progress goes to report and to all watchers.
//
//	begin   the operation is visible, its row on its way to the store
//	run     fn, with a ctx that operation.cancel and shutdown end too
//	undo    when fn returned an error or panicked: Undo steps, last one first
//	end     the last stage is closed, the final row saved, watchers are told
//
// The error is a *model.Error; a panic is one of CodeInternal.
func Do[T any](ctx context.Context, s *Service, kind, object string, report model.Report,
	fn func(ctx context.Context, op *Op) (T, error)) (T, error) {
	var none T
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	op := newOp(s.cfg, kind, object, report, cancel)
	if err := s.enter(op); err != nil {
		return none, err
	}
	defer s.leave(ctx, op)
	begun := op.snapshot()
	s.save(ctx, begun)
	if s.cfg.Begun != nil {
		s.cfg.Begun(begun)
	}

	result, err := call(ctx, op, fn)
	if err == nil {
		op.end(nil)
		return result, nil
	}
	failure := explain(ctx, op, err)
	if undone := op.undo(ctx); undone != nil {
		failure.Msg += "; " + undone.Error()
	}
	op.end(failure)
	return none, failure
}

// call runs fn and turns its panic into an error.
func call[T any](ctx context.Context, op *Op, fn func(context.Context, *Op) (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			op.cfg.Log.Error("operation panicked", "kind", op.rec.Kind, "panic", p, "stack", string(debug.Stack()))
			err = model.Errorf(model.CodeInternal, "%s %s: internal error: %v", op.rec.Kind, op.rec.Object, p).
				WithHint("this is a fault of banger; the daemon's log has the details")
		}
	}()
	if err := failpoint.Hit(ctx, "operation/begun"); err != nil {
		return result, err
	}
	return fn(ctx, op)
}

// explain gives err a code. An error without one of its own takes it from a
// full disk in its chain, or from the end of ctx, if that has ended.
func explain(ctx context.Context, op *Op, err error) *model.Error {
	code, hint := model.CodeOf(err), model.HintOf(err)
	if code == model.CodeInternal && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		code = model.CodeNoSpace
		hint = cmp.Or(hint, "free some space where the message says: `df -h` shows what is full")
	}
	if code == model.CodeInternal && ctx.Err() != nil {
		code = model.CodeCanceled
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			code = model.CodeTimeout
		}
	}
	msg := err.Error()
	if cause := context.Cause(ctx); code == model.CodeCanceled && (errors.Is(cause, errCanceled) || errors.Is(cause, errShutdown)) {
		msg = op.rec.Kind + " " + op.rec.Object + ": " + cause.Error()
	}
	return &model.Error{Code: code, Msg: msg, Hint: hint, Err: err}
}

// undo runs the undo steps in reverse. They go on when the caller is gone, but
// not for ever; one that fails does not stop the rest.
func (o *Op) undo(ctx context.Context) error {
	o.mu.Lock()
	steps := o.undos
	o.undos = nil
	o.mu.Unlock()
	if len(steps) == 0 {
		return nil
	}
	o.Stage("undo")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.cfg.UndoTimeout)
	defer cancel()
	var failed []error
	if err := failpoint.Hit(ctx, "operation/undoing"); err != nil {
		failed = append(failed, err)
	}
	for _, step := range slices.Backward(steps) {
		if err := runUndo(ctx, step); err != nil {
			o.cfg.Log.Error("undoing", "kind", o.rec.Kind, "object", o.rec.Object, "step", step.name, "err", err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func runUndo(ctx context.Context, step undoStep) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = model.Errorf(model.CodeInternal, "undoing %s: internal error: %v", step.name, p)
		}
	}()
	if err := step.fn(ctx); err != nil {
		return model.Errorf(model.CodeOf(err), "undoing %s: %w", step.name, err)
	}
	return nil
}
