package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/store"
)

// TestWritesThatShareACommitDoNotTouchEachOther: of many at once some break a
// rule, some are refused by their caller, one panics and some callers have
// gone; the rest is stored.
func TestWritesThatShareACommitDoNotTouchEachOther(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVM(ctx, vm("00ff", "victim", "")))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	refused := errors.New("no")
	var stored, taken, others atomic.Int32
	var group sync.WaitGroup
	for i := range 240 {
		group.Go(func() {
			var err error
			switch i % 4 {
			case 0, 1: // two of each name
				if err = s.InsertVM(ctx, vm(model.NewID(), fmt.Sprintf("vm-%d", i/4), "")); err == nil {
					stored.Add(1)
				} else if model.CodeOf(err) == model.CodeConflict {
					taken.Add(1)
				}
			case 2:
				if _, err = s.UpdateVM(ctx, "00ff", func(*model.VM) error { return refused }); errors.Is(err, refused) {
					others.Add(1)
				}
				if _, err = s.UpdateVM(ctx, "00ff", func(*model.VM) error { panic("broken") }); model.CodeOf(err) == model.CodeInternal {
					others.Add(1)
				}
			case 3:
				if err = s.InsertVM(gone, vm(model.NewID(), fmt.Sprintf("gone-%d", i), "")); model.CodeOf(err) == model.CodeCanceled {
					others.Add(1)
				}
			}
		})
	}
	group.Wait()
	if stored.Load() != 60 || taken.Load() != 60 || others.Load() != 180 {
		t.Errorf("%d stored, %d taken, %d others", stored.Load(), taken.Load(), others.Load())
	}
	all, err := s.VMs(ctx)
	must(t, err)
	if len(all) != 61 {
		t.Errorf("%d VMs are stored", len(all))
	}
	wantSummed(t, s)
}

func TestUpdatesOfOneRowAreNotLost(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVM(ctx, vm("00ff", "counter", "")))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				if _, err := s.UpdateVM(ctx, "00ff", func(vm *model.VM) error {
					vm.Restarts++
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got, err := s.VM(ctx, "counter"); err != nil || got.Restarts != 200 {
		t.Errorf("%d of 200 updates, %v", got.Restarts, err)
	}
}

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, size int, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting a file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestReserve: on a full disk what is there can be changed and deleted.
func TestReserve(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 40<<20, 0)
	s, ctx := open(t, filepath.Join(dir, "banger.db")), t.Context()
	must(t, s.InsertVM(ctx, vm("00ff", "first", "")), s.InsertVM(ctx, vm("00fd", "third", "")))
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 40<<20), 0o600) // as much as there is room for
	big := vm("00fe", "second", "")
	big.Reason = strings.Repeat("x", 1<<18)
	wantCode(t, s.InsertVM(ctx, big), model.CodeNoSpace, "second")
	_, err := s.UpdateVM(ctx, "00ff", func(vm *model.VM) error { vm.Reason = big.Reason; return nil })
	must(t, err, s.DeleteVM(ctx, "00ff"), s.DeleteVM(ctx, "00fd"))
	if _, err := os.Stat(filepath.Join(dir, "banger.db.reserve")); !os.IsNotExist(err) {
		t.Errorf("the reserve is there: %v", err)
	}
	must(t, os.Remove(ballast), s.InsertVM(ctx, big), s.DeleteVM(ctx, big.ID), s.Check(ctx))
	if info, err := os.Stat(filepath.Join(dir, "banger.db.reserve")); err != nil || info.Size() == 0 {
		t.Errorf("there is no reserve again: %v", err)
	}
}

// TestFullDisk: reads go on, writes say what is wrong and change nothing, and
// when there is room again so do they.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 1<<20, 0)
	s, ctx := open(t, filepath.Join(dir, "banger.db")), t.Context()
	must(t, s.InsertVM(ctx, vm("00ff", "first", "")))
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 1<<20), 0o600) // as much as there is room for
	big := vm("00fe", "second", "")
	big.Reason = strings.Repeat("x", 1<<18)
	err := s.InsertVM(ctx, big)
	wantCode(t, err, model.CodeNoSpace, "second")
	if model.HintOf(err) == "" {
		t.Error("there is no hint")
	}
	if got, err := s.VMs(ctx); err != nil || len(got) != 1 {
		t.Errorf("reading on a full disk: %d VMs, %v", len(got), err)
	}
	must(t, os.Remove(ballast), s.InsertVM(ctx, big), s.Check(ctx))
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 1<<20, unix.MS_RDONLY)
	_, err := store.Open(t.Context(), filepath.Join(dir, "banger.db"))
	wantCode(t, err, model.CodeInternal, "read-only")
	if model.HintOf(err) == "" {
		t.Error("there is no hint")
	}
}
