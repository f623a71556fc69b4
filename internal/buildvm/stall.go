package buildvm

import (
	"context"
	"time"

	"banger/internal/model"
)

// whileRoom returns a context that ends when the guest has waited for room on
// the host's disk for too long: its process would say nothing for ever.
func (m *machine) whileRoom(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	full := model.Errorf(model.CodeNoSpace, "the host's disk is full: what the build's VM writes does not fit").
		WithHint("make room and build again: `banger system df` shows what takes it")
	go func() {
		var late <-chan time.Time
		for {
			select {
			case stalled := <-m.Stalls():
				late = nil
				if stalled {
					late = time.After(limit)
				}
			case <-late:
				cancel(full)
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
