package vm

import (
	"context"
	"sync"

	"banger/internal/failpoint"
)

// admit waits until there is a place to boot a guest in. The caller leaves it
// when the guest is up: the row is written beside the next one's boot. Leaving
// twice is leaving once.
func (s *Service) admit(ctx context.Context) (leave func(), err error) {
	select {
	case s.boots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	leave = sync.OnceFunc(func() { <-s.boots })
	if err := failpoint.Hit(ctx, "vm.start/admitted"); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}
