package operation_test

import (
	"context"
	"runtime"
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

// TestShareExcludesLockAlone: many share while nobody has the lock alone.
func TestShareExcludesLockAlone(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	value := 0
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			take := s.Share
			if i%4 == 0 {
				take = s.Lock
			}
			unlock, err := take(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			if i%4 == 0 {
				value++ // the race detector watches
				return
			}
			_ = value
			runtime.Gosched()
		})
	}
	wg.Wait()
	if value != 50 {
		t.Errorf("%d had it alone", value)
	}
	if len(s.Locks()) != 0 {
		t.Errorf("locks are left: %q", s.Locks())
	}
}

// TestShareJoins: who shares is not kept by one who waits to have the lock
// alone, and that one waits for the last who shares.
func TestShareJoins(t *testing.T) {
	t.Parallel()
	s := newService(t, &memStore{})
	first, err := s.Share(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	alone := make(chan func())
	go func() {
		unlock, err := s.Lock(t.Context(), "a")
		if err != nil {
			t.Error(err)
		}
		alone <- unlock
	}()
	second, err := s.Share(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	first()
	first() // the second call does nothing
	select {
	case <-alone:
		t.Fatal("locked while somebody shares")
	default:
	}
	second()
	unlock := <-alone
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Share(ctx, "a"); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("Share = %v", err)
	}
	waits := make(chan func())
	go func() {
		unlock, err := s.Share(t.Context(), "a")
		if err != nil {
			t.Error(err)
		}
		waits <- unlock
	}()
	unlock()
	(<-waits)()
}
