package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var created = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(t testing.TB) *store.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "banger.db"))
}

func image(id, name string) model.Image {
	return model.Image{ID: id, Name: name, Managed: true, CreatedAt: created,
		Config: model.ImageConfig{Env: []string{"A=1"}, Labels: map[string]string{"k": "v"}}}
}

func vm(id, name, imageID string) model.VM {
	return model.VM{ID: id, Name: name, ImageID: imageID, State: model.VMStopped, CreatedAt: created}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func wantCode(t *testing.T, err error, code model.Code, part string) {
	t.Helper()
	if model.CodeOf(err) != code || !strings.Contains(err.Error(), part) {
		t.Errorf("err = %s: %v; want %s: ...%s...", model.CodeOf(err), err, code, part)
	}
}

func TestImagesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a, b := image("00aa", "debian"), image("00ab", "alpine")
	must(t, s.InsertImage(ctx, a), s.InsertImage(ctx, b))
	for _, key := range []string{"debian", "00aa"} {
		got, err := s.Image(ctx, key)
		must(t, err)
		if d := cmp.Diff(a, got); d != "" {
			t.Errorf("Image(%q) (-want +got):\n%s", key, d)
		}
	}
	all, err := s.Images(ctx)
	must(t, err)
	if d := cmp.Diff([]model.Image{a, b}, all); d != "" {
		t.Errorf("Images (-want +got):\n%s", d)
	}
	must(t, s.DeleteImage(ctx, a.ID))
	_, err = s.Image(ctx, "debian")
	wantCode(t, err, model.CodeNotFound, `image "debian" does not exist`)
	wantCode(t, s.DeleteImage(ctx, a.ID), model.CodeNotFound, "00aa")
	wantCode(t, s.InsertImage(ctx, image("0100", "alpine")), model.CodeConflict, `image name "alpine" is taken`)
}

func TestPrefixesOfIDs(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVM(ctx, vm("aab1", "web", "")), s.InsertVM(ctx, vm("aab2", "db", "")), s.InsertVM(ctx, vm("b0b0", "aab", "")))
	for key, want := range map[string]string{
		"aab1": "web", "b": "aab", "aab": "aab", "db": "db",
		"aa": "", "": "", "c": "", "aab'": "", "%": "", "aab11": "",
	} {
		got, err := s.VM(ctx, key)
		if got.Name != want || (err == nil) != (want != "") {
			t.Errorf("VM(%q) = %q, %v", key, got.Name, err)
		}
	}
	_, err := s.VM(ctx, "aa")
	wantCode(t, err, model.CodeConflict, "web (aab1), db (aab2)")
}

func TestKernels(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	k := model.Kernel{Name: "debian-6.1", Version: "6.1.0", Modules: true, CreatedAt: created}
	must(t, s.InsertKernel(ctx, k))
	got, err := s.Kernel(ctx, k.Name)
	must(t, err)
	if d := cmp.Diff(k, got); d != "" {
		t.Error(d)
	}
	wantCode(t, s.InsertKernel(ctx, k), model.CodeConflict, "taken")
	must(t, s.DeleteKernel(ctx, k.Name))
	wantCode(t, s.DeleteKernel(ctx, k.Name), model.CodeNotFound, "debian-6.1")
	_, err = s.Kernel(ctx, k.Name)
	wantCode(t, err, model.CodeNotFound, "debian-6.1")
	all, err := s.Kernels(ctx)
	if err != nil || all == nil || len(all) != 0 {
		t.Errorf("Kernels = %#v, %v; want an empty list, not nil", all, err)
	}
}

func TestImageOfAVMStays(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertImage(ctx, image("01", "debian")), s.InsertVM(ctx, vm("aa", "web", "01")))
	wantCode(t, s.DeleteImage(ctx, "01"), model.CodeConflict, "web")
	wantCode(t, s.InsertVM(ctx, vm("ab", "db", "02")), model.CodeNotFound, `image "02"`)
	must(t, s.DeleteVM(ctx, "aa"), s.DeleteImage(ctx, "01"))
}

func TestUpdateVM(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVM(ctx, vm("aa", "web", "")), s.InsertVM(ctx, vm("ab", "db", "")))
	got, err := s.UpdateVM(ctx, "aa", func(v *model.VM) error { v.State, v.Name, v.ID = model.VMRunning, "www", "zz"; return nil })
	if err != nil || got.State != model.VMRunning || got.ID != "aa" {
		t.Errorf("UpdateVM = %+v, %v", got, err)
	}
	stored, err := s.VM(ctx, "www")
	if d := cmp.Diff(got, stored); err != nil || d != "" {
		t.Errorf("stored: %v\n%s", err, d)
	}
	no := errors.New("no")
	if _, err := s.UpdateVM(ctx, "aa", func(v *model.VM) error { v.State = model.VMFailed; return no }); err != no { //nolint:errorlint // as it is
		t.Errorf("UpdateVM = %v, want the function's own error", err)
	}
	if after, err := s.VM(ctx, "aa"); err != nil || after.State != model.VMRunning {
		t.Errorf("after a refused change: %+v, %v", after, err)
	}
	_, err = s.UpdateVM(ctx, "aa", func(v *model.VM) error { v.Name = "db"; return nil })
	wantCode(t, err, model.CodeConflict, `VM name "db" is taken`)
	_, err = s.UpdateVM(ctx, "a", func(*model.VM) error { t.Error("called"); return nil })
	wantCode(t, err, model.CodeNotFound, `VM "a"`)
}

func TestConcurrentUpdatesAllCount(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVM(ctx, vm("aa", "web", "")))
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := s.UpdateVM(ctx, "aa", func(v *model.VM) error { v.Spec.CPUs++; return nil }); err != nil {
				t.Error(err)
			}
			if _, err := s.VMs(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := s.VM(ctx, "aa"); err != nil || got.Spec.CPUs != 40 {
		t.Errorf("%d of 40 updates counted, %v", got.Spec.CPUs, err)
	}
}

func TestOperationsAreBounded(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	for i := range 7 {
		op := model.Operation{ID: fmt.Sprint("op", i), Kind: "vm.start", State: model.OpRunning, Stages: []model.Stage{}, StartedAt: created}
		must(t, s.SaveOperations(ctx, []model.Operation{op}, 5))
	}
	done := model.Operation{ID: "op6", State: model.OpDone, Error: &model.Error{Code: model.CodeBoot, Msg: "m", Hint: "h"}}
	must(t, s.SaveOperations(ctx, []model.Operation{done}, 5))
	n, err := s.InterruptOperations(ctx, created)
	if err != nil || n != 4 {
		t.Errorf("InterruptOperations = %d, %v", n, err)
	}
	ops, err := s.Operations(ctx)
	must(t, err)
	var got []string
	for _, op := range ops {
		got = append(got, op.ID+" "+string(op.State))
	}
	want := []string{"op2 interrupted", "op3 interrupted", "op4 interrupted", "op5 interrupted", "op6 done"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRowsSurviveReopening(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd ?#%20 name.db")
	s, err := store.Open(t.Context(), path)
	must(t, err)
	must(t, s.InsertImage(t.Context(), image("01", "debian")), s.Close())
	if _, err := open(t, path).Image(t.Context(), "debian"); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// exec changes a closed database behind the store's back.
func exec(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), query)
	must(t, err, db.Close())
}

func TestUnusableFilesAreRefusedUntouched(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, path string)
		code  model.Code
		part  string
	}{
		"newer schema": {func(t *testing.T, path string) { exec(t, path, "PRAGMA user_version = 99") },
			model.CodeUnsupported, "newer banger: its schema is 99"},
		"another program's": {func(t *testing.T, path string) { exec(t, path, "PRAGMA application_id = 7") },
			model.CodeIntegrity, "not a database of banger"},
		"no database": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("hello ", 1000)), 0o600))
		}, model.CodeIntegrity, "damaged"},
		"torn page": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt([]byte(strings.Repeat("\xff", 4096)), 4096)
			must(t, err, f.Close())
		}, model.CodeIntegrity, "damaged"},
		"cut short": {func(t *testing.T, path string) { must(t, os.Truncate(path, 5000)) },
			model.CodeIntegrity, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "banger.db")
			s, err := store.Open(t.Context(), path)
			must(t, err)
			must(t, s.InsertImage(t.Context(), image("01", "debian")), s.Close())
			tc.spoil(t, path)
			before, err := os.ReadFile(path)
			must(t, err)
			_, err = store.Open(t.Context(), path)
			wantCode(t, err, tc.code, tc.part)
			if model.HintOf(err) == "" {
				t.Error("no hint")
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if string(before) != string(after) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestEveryOlderSchemaOpens opens a database of each schema that was
// released, as its own SQL made it.
func TestEveryOlderSchemaOpens(t *testing.T) {
	t.Parallel()
	dumps, err := filepath.Glob("testdata/schema-*.sql")
	must(t, err)
	if len(dumps) == 0 {
		t.Fatal("no dumps")
	}
	for _, dump := range dumps {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			t.Parallel()
			script, err := os.ReadFile(dump)
			must(t, err)
			path := filepath.Join(t.TempDir(), "banger.db")
			exec(t, path, string(script))
			s := open(t, path)
			img, err := s.Image(t.Context(), "debian")
			must(t, err)
			vms, err := s.VMs(t.Context())
			must(t, err)
			if len(vms) != 1 || vms[0].ImageID != img.ID || vms[0].Spec.CPUs != 2 {
				t.Errorf("VMs = %+v", vms)
			}
		})
	}
}

func TestCanceledCallSaysSo(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.VMs(ctx); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("VMs = %v", err)
	}
	if err := s.InsertVM(ctx, vm("aa", "web", "")); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("InsertVM = %v", err)
	}
}

func BenchmarkVMs(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStore(b)
			for i := range n {
				v := vm(model.NewID(), fmt.Sprint("vm-", i), "")
				v.Spec = model.VMSpec{CPUs: 2, MemoryMiB: 512, Config: image("", "").Config, Labels: map[string]string{"a": "b"}}
				v.Dir = "/home/user/.local/state/banger/vms/" + v.ID
				must(b, s.InsertVM(b.Context(), v))
			}
			for b.Loop() {
				if vms, err := s.VMs(b.Context()); err != nil || len(vms) != n {
					b.Fatal(len(vms), err)
				}
			}
		})
	}
}
