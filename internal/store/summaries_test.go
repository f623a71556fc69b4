package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/store"
)

// summed are the summaries of the whole rows: what VMSummaries must equal.
func summed(t *testing.T, s *store.Store) []model.VMSummary {
	t.Helper()
	vms, err := s.VMs(t.Context())
	must(t, err)
	all := []model.VMSummary{}
	for i := range vms {
		all = append(all, vms[i].Summary())
	}
	return all
}

func wantSummed(t *testing.T, s *store.Store) {
	t.Helper()
	got, err := s.VMSummaries(t.Context())
	must(t, err)
	if diff := cmp.Diff(summed(t, s), got); diff != "" {
		t.Errorf("summaries (-rows +got):\n%s", diff)
	}
}

func TestSummariesAreTheRows(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	wantSummed(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		id := fmt.Sprintf("%02x", random.IntN(20))
		switch random.IntN(3) {
		case 0:
			_ = s.InsertVM(ctx, vm(id, fmt.Sprint("vm-", i), "")) // may be there
		case 1:
			_, _ = s.UpdateVM(ctx, id, func(v *model.VM) error { v.Reason = fmt.Sprint(i); return nil })
		case 2:
			_ = s.DeleteVM(ctx, id)
		}
		wantSummed(t, s)
	}
}

// TestSummariesOfWriters: whoever has an answer sees what was answered.
func TestSummariesOfWriters(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	check := func(err error) { // must is for the test's own goroutine
		if err != nil {
			t.Error(err)
		}
	}
	check(s.InsertVM(ctx, vm("aa", "shared", "")))
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			id := fmt.Sprintf("b%d", w)
			check(s.InsertVM(ctx, vm(id, id, "")))
			for i := range 20 {
				_, err := s.UpdateVM(ctx, id, func(v *model.VM) error { v.Spec.CPUs = i; return nil })
				check(err)
				_, err = s.UpdateVM(ctx, "aa", func(v *model.VM) error { v.Spec.CPUs++; return nil })
				check(err)
				if got := cpusOf(t, s, id); got != i {
					t.Errorf("%s: %d CPUs listed, %d stored", id, got, i)
				}
			}
		})
	}
	wg.Wait()
	wantSummed(t, s)
	if got := cpusOf(t, s, "aa"); got != 160 {
		t.Errorf("%d of 160 updates listed", got)
	}
}

func cpusOf(t *testing.T, s *store.Store, id string) int {
	t.Helper()
	all, err := s.VMSummaries(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, v := range all {
		if v.ID == id {
			return v.CPUs
		}
	}
	t.Errorf("no VM %s in the list", id)
	return -1
}

func BenchmarkVMSummaries(b *testing.B) {
	s := newStore(b)
	for i := range 10000 {
		must(b, s.InsertVM(b.Context(), vm(model.NewID(), fmt.Sprint("vm-", i), "")))
	}
	for b.Loop() {
		if vms, err := s.VMSummaries(b.Context()); err != nil || len(vms) != 10000 {
			b.Fatal(len(vms), err)
		}
	}
}
