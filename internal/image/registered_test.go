package image_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/failpoint"
	"banger/internal/image"
	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/rpc"
)

// registered returns a rig with the unmanaged image "mine", whose file is a
// copy of that of the image "a".
func registered(t *testing.T) (*rig, model.Image) {
	t.Helper()
	r := newRealRig(t, map[string]string{"a": "hello"})
	rootfs := t.TempDir() + "/my.ext4"
	if err := imagemgr.Clone(r.store.rows[0].RootfsPath(), rootfs); err != nil {
		t.Fatal(err)
	}
	boot := bootSet(t)
	img, err := r.RegisterImage(context.Background(), rpc.ImageRegisterParams{
		Name: "mine", Rootfs: rootfs, KernelPath: boot.Kernel, InitrdPath: boot.Initrd, ModulesDir: boot.Modules,
	}, model.Discard)
	if err != nil || img.Managed || img.RootfsPath() != rootfs || img.Boot != boot {
		t.Fatalf("%+v, %v", img, err)
	}
	return r, img
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	r, img := registered(t)
	dirty := t.TempDir() + "/dirty.ext4"
	if err := imagemgr.Clone(img.RootfsPath(), dirty); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(dirty, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0, 0}, 1024+58); err != nil { // s_state: not clean
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		params rpc.ImageRegisterParams
		code   model.Code
	}{
		"name is taken":  {rpc.ImageRegisterParams{Name: "a", Rootfs: img.Rootfs}, model.CodeConflict},
		"bad name":       {rpc.ImageRegisterParams{Name: "A/b", Rootfs: img.Rootfs}, model.CodeInvalid},
		"no file":        {rpc.ImageRegisterParams{Name: "x", Rootfs: "/none"}, model.CodeNotFound},
		"relative":       {rpc.ImageRegisterParams{Name: "x", Rootfs: "my.ext4"}, model.CodeInvalid},
		"kernel is none": {rpc.ImageRegisterParams{Name: "x", Rootfs: img.Rootfs, KernelPath: img.Rootfs}, model.CodeInvalid},
		"not ext4":       {rpc.ImageRegisterParams{Name: "x", Rootfs: img.Boot.Kernel}, model.CodeInvalid},
		"two kernels":    {rpc.ImageRegisterParams{Name: "x", Rootfs: img.Rootfs, KernelPath: img.Boot.Kernel, KernelRef: "k"}, model.CodeInvalid},
	} {
		if _, err := r.RegisterImage(context.Background(), c.params, model.Discard); model.CodeOf(err) != c.code {
			t.Errorf("%s: %v (%s)", name, err, model.CodeOf(err))
		}
	}
	// The checksum of the superblock is wrong too: either is reason enough.
	if _, err := r.RegisterImage(context.Background(), rpc.ImageRegisterParams{Name: "x", Rootfs: dirty}, model.Discard); err == nil {
		t.Error("a filesystem that is not clean was registered")
	}
}

func TestPromote(t *testing.T) {
	t.Parallel()
	r, mine := registered(t)
	img, err := r.PromoteImage(context.Background(), rpc.NameParams{Name: "mine"}, model.Discard)
	if err != nil || !img.Managed || img.ID != mine.ID || img.Rootfs != "" || img.Boot.Modules != filepath.Join(img.Dir, model.ModulesDir) {
		t.Fatalf("%+v, %v", img, err)
	}
	if err := os.Remove(mine.Rootfs); err != nil {
		t.Fatal(err)
	}
	r.same(t, "a", "mine")
	verdicts, err := r.VerifyImages(context.Background(), rpc.ImageVerifyParams{}, model.Discard)
	if err != nil || len(verdicts) != 2 || len(verdicts[0].Problems)+len(verdicts[1].Problems) > 0 {
		t.Errorf("%+v, %v", verdicts, err)
	}
	if _, err := r.PromoteImage(context.Background(), rpc.NameParams{Name: "mine"}, model.Discard); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("twice: %v", err)
	}
}

func TestTagOutlivesTheImage(t *testing.T) {
	t.Parallel()
	r, _ := registered(t)
	for from, to := range map[string]string{"a": "b", "mine": "yours"} {
		if _, err := r.TagImage(context.Background(), rpc.ImageTagParams{Name: from, New: to}, model.Discard); err != nil {
			t.Fatal(err)
		}
		r.same(t, from, to)
		if _, err := r.TagImage(context.Background(), rpc.ImageTagParams{Name: from, New: to}, model.Discard); model.CodeOf(err) != model.CodeConflict {
			t.Errorf("the name is taken: %v", err)
		}
		if _, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: from}); err != nil {
			t.Fatal(err)
		}
	}
	r.same(t, "b", "yours")
}

func TestVerifyFindsDamage(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, map[string]string{"a": "hello"})
	f, err := os.OpenFile(r.store.rows[0].RootfsPath(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), r.store.rows[0].SizeBytes/2); err != nil {
		t.Fatal(err)
	}
	verdicts, err := r.VerifyImages(context.Background(), rpc.ImageVerifyParams{Names: []string{"a"}}, model.Discard)
	if err != nil || len(verdicts) != 1 || !strings.Contains(strings.Join(verdicts[0].Problems, "\n"), "digest: ") {
		t.Errorf("%+v, %v", verdicts, err)
	}
}

func TestPruneImages(t *testing.T) {
	t.Parallel()
	r, _ := registered(t)
	dry, err := r.PruneImages(context.Background(), rpc.ImagePruneParams{DryRun: true})
	if err != nil || len(dry) != 1 || len(r.store.rows) != 2 {
		t.Errorf("dry run: %v, %v", dry, err)
	}
	pruned, err := r.PruneImages(context.Background(), rpc.ImagePruneParams{})
	if err != nil || len(pruned) != 1 || pruned[0].Name != "a" || len(r.store.rows) != 1 {
		t.Errorf("%v, %v", pruned, err)
	}
}

// A failure at any place leaves what was there, and a second try succeeds.
func TestFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	for place, do := range map[string]func(context.Context, *rig) error{
		"image.promote/copied":    promoteMine,
		"image.promote/published": promoteMine,
		"image.tag/shared":        tagA,
		"image.tag/published":     tagA,
		"image.commit/flattened":  commitA,
		"image.commit/layer":      commitA,
		"image.commit/published":  commitA,
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			r, _ := registered(t)
			set, err := failpoint.Parse(place + "=error:injected")
			if err != nil {
				t.Fatal(err)
			}
			rows, files := len(r.store.rows), r.onDisk(t)
			if err := do(failpoint.With(context.Background(), set), r); err == nil || !strings.Contains(err.Error(), "injected") {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(files, r.onDisk(t)); diff != "" || len(r.store.rows) != rows {
				t.Errorf("rows %d, files %s", len(r.store.rows), diff)
			}
			if err := do(context.Background(), r); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func promoteMine(ctx context.Context, r *rig) error {
	_, err := r.PromoteImage(ctx, rpc.NameParams{Name: "mine"}, model.Discard)
	return err
}

func tagA(ctx context.Context, r *rig) error {
	_, err := r.TagImage(ctx, rpc.ImageTagParams{Name: "a", New: "b"}, model.Discard)
	return err
}

func commitA(ctx context.Context, r *rig) error {
	base := r.store.rows[0]
	_, err := r.CommitDisk(ctx, model.VM{Name: "web", ImageID: base.ID}, "b", func(_ context.Context, dst string) error {
		return imagemgr.Clone(base.RootfsPath(), dst)
	}, model.Discard)
	return err
}

// An image that has had a row gets it back when the database is lost.
func TestRecoverRecordsAgain(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, map[string]string{"a": "hello", "b": "howdy"})
	want := map[string]string{}
	for _, img := range r.store.rows {
		want[img.Name] = img.ID
	}
	broken := r.store.rows[0]
	if err := os.Truncate(broken.RootfsPath(), 4096); err != nil {
		t.Fatal(err)
	}
	delete(want, broken.Name)
	r.store.rows = nil
	if err := image.New(r.cfg).Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, img := range r.store.rows {
		got[img.Name] = img.ID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(broken.Dir + model.LostExt); err != nil {
		t.Errorf("what is not whole was not kept: %v", err)
	}
}

// A promotion that was killed before its row leaves the image as it was.
func TestRecoverTakesBackAPromotion(t *testing.T) {
	t.Parallel()
	r, mine := registered(t)
	before := r.onDisk(t)
	mkdir(t, filepath.Join(r.cfg.Dir, mine.ID, model.ModulesDir))
	if err := image.New(r.cfg).Recover(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, r.onDisk(t)); diff != "" || len(r.store.rows) != 2 {
		t.Errorf("rows %d, files %s", len(r.store.rows), diff)
	}
	if err := promoteMine(context.Background(), r); err != nil {
		t.Error(err)
	}
}
