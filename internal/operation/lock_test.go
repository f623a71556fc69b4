package operation_test

import (
	"context"
	"sync"
	"testing"

	"banger/internal/model"
)

func TestLockExcludesByKey(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	var wg sync.WaitGroup
	counts := map[string]*int{"a": new(int), "b": new(int)}
	for key, count := range counts {
		for range 100 {
			wg.Go(func() {
				unlock, err := s.Lock(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				*count++ // the race detector watches
				unlock()
			})
		}
	}
	wg.Wait()
	if *counts["a"] != 100 || *counts["b"] != 100 {
		t.Errorf("counts %d, %d", *counts["a"], *counts["b"])
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	unlock, err := s.Lock(t.Context(), "vm/1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Lock(ctx, "vm/1"); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("Lock = %v", err)
	}
	unlock()
	unlock() // the second call does nothing
	again, err := s.Lock(t.Context(), "vm/1")
	if err != nil {
		t.Fatal(err)
	}
	again()
}
