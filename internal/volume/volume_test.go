package volume_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/quota"
	"banger/internal/rpc"
	"banger/internal/store"
	"banger/internal/volume"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a volume service over a real store.
type rig struct {
	*volume.Service
	t   *testing.T
	db  *store.Store
	dir string

	quota int64 // bytes
}

func newRig(t *testing.T) *rig {
	t.Helper()
	home := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(home, "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r := &rig{t: t, db: db, dir: filepath.Join(home, "volumes")}
	r.restart(db)
	return r
}

// restart is the end of a daemon and the start of the next, with that store.
func (r *rig) restart(s volume.Store) {
	r.t.Helper()
	r.Service = volume.New(volume.Config{
		Dir: r.dir, Store: s, Operations: operation.New(operation.Config{Store: r.db}), Log: slog.New(slog.DiscardHandler),
		Disks: quota.NewDisk(r.quota, r.db),
	})
	if err := r.Recover(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) create(name string) model.Volume {
	r.t.Helper()
	v, err := r.CreateVolume(r.t.Context(), rpc.VolumeCreateParams{Name: name, SizeBytes: 64 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// use makes a VM that mounts a volume.
func (r *rig) use(vmName string, v model.Volume, readOnly bool) string {
	r.t.Helper()
	vm := model.VM{ID: model.NewID(), Name: vmName, State: model.VMStopped, Spec: model.VMSpec{
		Volumes: []model.VolumeMount{{VolumeID: v.ID, Volume: v.Name, Path: "/data", ReadOnly: readOnly}},
	}}
	if err := r.db.InsertVM(r.t.Context(), vm); err != nil {
		r.t.Fatal(err)
	}
	return vm.ID
}

func wantCode(t *testing.T, what string, err error, want model.Code) {
	t.Helper()
	if model.CodeOf(err) != want || want == model.CodeConflict && model.HintOf(err) == "" {
		t.Errorf("%s: %s %v (%s), want %s", what, model.CodeOf(err), err, model.HintOf(err), want)
	}
}

func TestLifeOfAVolume(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("data")
	if v.State != model.VolumeReady || v.SizeBytes != 64<<20 || v.UsedBytes == 0 || v.UsedBytes > 2<<20 {
		t.Errorf("created: %+v", v)
	}
	info, err := os.Stat(filepath.Join(v.Dir, model.VolumeFile))
	if err != nil || info.Size() != 64<<20 {
		t.Errorf("its disk: %+v, %v", info, err)
	}
	all, err := r.ListVolumes(t.Context())
	if diff := cmp.Diff([]model.Volume{v}, all); err != nil || diff != "" {
		t.Errorf("list: %v\n%s", err, diff)
	}
	grown, err := r.ResizeVolume(t.Context(), rpc.VolumeResizeParams{Name: "data", SizeBytes: 128 << 20})
	if info, _ := os.Stat(filepath.Join(v.Dir, model.VolumeFile)); err != nil || grown.SizeBytes != 128<<20 || info.Size() != 128<<20 {
		t.Errorf("grown: %+v, %v", grown, err)
	}
	if _, err := r.DeleteVolume(t.Context(), rpc.NameParams{Name: v.ID[:6]}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(v.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is left: %v", err)
	}
	_, err = r.ShowVolume(t.Context(), rpc.NameParams{Name: "data"})
	wantCode(t, "a volume that is gone", err, model.CodeNotFound)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("data")
	id := r.use("web", v, false)
	if err := r.db.ClaimVolumes(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	create := func(name string, size int64) error {
		_, err := r.CreateVolume(t.Context(), rpc.VolumeCreateParams{Name: name, SizeBytes: size})
		return err
	}
	wantCode(t, "a name that is taken", create("data", 0), model.CodeConflict)
	wantCode(t, "a bad name", create("a/b", 0), model.CodeInvalid)
	wantCode(t, "too small", create("small", 4096), model.CodeInvalid)
	wantCode(t, "too large", create("large", 1<<50), model.CodeLimit)
	_, err := r.DeleteVolume(t.Context(), rpc.NameParams{Name: "data"})
	wantCode(t, "deleting what a VM uses", err, model.CodeConflict)
	resize := func(size int64) error {
		_, err := r.ResizeVolume(t.Context(), rpc.VolumeResizeParams{Name: "data", SizeBytes: size})
		return err
	}
	wantCode(t, "growing what a VM runs with", resize(128<<20), model.CodeConflict)
	if err := r.db.ReleaseVolumes(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "shrinking", resize(32<<20), model.CodeInvalid)
	if err := r.db.DeleteVM(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = r.DeleteVolume(t.Context(), rpc.NameParams{Name: "data"})
	wantCode(t, "deleting it when the VM is gone", err, "")
	_, err = r.ShowVolume(t.Context(), rpc.NameParams{Name: "dat"})
	wantCode(t, "none", err, model.CodeNotFound)
}

func TestPrune(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.use("web", r.create("used"), true)
	r.create("free")
	for _, dry := range []bool{true, false} {
		gone, err := r.PruneVolumes(t.Context(), rpc.VolumePruneParams{DryRun: dry})
		if err != nil || len(gone) != 1 || gone[0].Name != "free" {
			t.Errorf("prune: %+v, %v", gone, err)
		}
	}
	if all, err := r.ListVolumes(t.Context()); err != nil || len(all) != 1 || all[0].Name != "used" {
		t.Errorf("left: %+v, %v", all, err)
	}
}

// crashing is a store whose calls fail from one on, as when the daemon is
// killed there.
type crashing struct {
	volume.Store
	updates, deletes int // calls that still succeed
}

var errCrash = errors.New("crash")

func (c *crashing) UpdateVolume(ctx context.Context, id string, change func(*model.Volume) error) (model.Volume, error) {
	if c.updates--; c.updates < 0 {
		return model.Volume{}, errCrash
	}
	return c.Store.UpdateVolume(ctx, id, change)
}

func (c *crashing) DeleteVolume(ctx context.Context, id string) error {
	if c.deletes--; c.deletes < 0 {
		return errCrash
	}
	return c.Store.DeleteVolume(ctx, id)
}

// TestRecover: what was half made or half deleted is gone afterwards, and what
// was whole is left.
func TestRecover(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kept := r.create("kept")
	r.restart(&crashing{Store: r.db})
	if _, err := r.CreateVolume(t.Context(), rpc.VolumeCreateParams{Name: "half"}); !errors.Is(err, errCrash) {
		t.Errorf("create: %v", err)
	}
	r.restart(r.db)
	doomed := r.create("doomed")
	r.restart(&crashing{Store: r.db, updates: 1})
	if _, err := r.DeleteVolume(t.Context(), rpc.NameParams{Name: "doomed"}); !errors.Is(err, errCrash) {
		t.Errorf("delete: %v", err)
	}
	if err := r.db.InsertVM(t.Context(), model.VM{ID: model.NewID(), Name: "late", Spec: model.VMSpec{
		Volumes: []model.VolumeMount{{VolumeID: doomed.ID, Volume: "doomed", Path: "/x"}},
	}}); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("using a volume that is being deleted: %v", err)
	}
	r.restart(r.db)
	all, err := r.ListVolumes(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != kept.ID {
		t.Errorf("after recovery: %+v, %v", all, err)
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("directories: %v, %v", entries, err)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.quota = 200 << 20
	r.restart(r.db)
	r.create("a")
	r.create("b")
	if _, err := r.ResizeVolume(t.Context(), rpc.VolumeResizeParams{Name: "a", SizeBytes: 128 << 20}); err != nil {
		t.Error(err)
	}
	if _, err := r.ResizeVolume(t.Context(), rpc.VolumeResizeParams{Name: "b", SizeBytes: 128 << 20}); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("resize beyond the quota: %v", err)
	}
	if v, err := r.ShowVolume(t.Context(), rpc.NameParams{Name: "b"}); err != nil || v.SizeBytes != 64<<20 {
		t.Errorf("b has %d bytes, %v", v.SizeBytes, err)
	}
	if _, err := r.CreateVolume(t.Context(), rpc.VolumeCreateParams{Name: "more", SizeBytes: 64 << 20}); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("create beyond the quota: %v", err)
	}
	if _, err := r.ShowVolume(t.Context(), rpc.NameParams{Name: "more"}); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("more is left: %v", err)
	}
}
