package image_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/image"
	"banger/internal/model"
	"banger/internal/rpc"
)

// pulled returns a rig with one image.
func pulled(t *testing.T, change func(*image.Config)) (*rig, model.Image) {
	t.Helper()
	r := newRig(t, change)
	img, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: "debian"}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return r, img
}

func TestDeleteImage(t *testing.T) {
	t.Parallel()
	r, img := pulled(t, nil)
	gone, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: img.ID})
	if err != nil || gone.Name != img.Name {
		t.Errorf("%v, %v", gone, err)
	}
	if left := r.onDisk(t); len(left) != 0 || len(r.store.rows) != 0 {
		t.Errorf("left: %v, rows %v", left, r.store.rows)
	}
	if _, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: img.ID}); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("again: %v", err)
	}
}

func TestDeleteRefusesAUsedImage(t *testing.T) {
	t.Parallel()
	r, img := pulled(t, func(c *image.Config) {
		c.Users = func(context.Context, string) ([]string, error) { return []string{"web", "db"}, nil }
	})
	_, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: img.Name})
	if model.CodeOf(err) != model.CodeConflict || !strings.Contains(err.Error(), "web, db") || !strings.Contains(model.HintOf(err), "banger vm delete web db") {
		t.Errorf("%v, hint %q", err, model.HintOf(err))
	}
	if len(r.store.rows) != 1 || len(r.onDisk(t)) == 0 {
		t.Error("it was deleted all the same")
	}
}

func TestDeleteIsTakenBackWhenTheRowStays(t *testing.T) {
	t.Parallel()
	r, img := pulled(t, nil)
	before := r.onDisk(t)
	r.store.fail = model.Errorf(model.CodeNoSpace, "disk full")
	if _, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: img.Name}); model.CodeOf(err) != model.CodeNoSpace {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, r.onDisk(t)); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteLeavesUnmanagedFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	dir := t.TempDir()
	r.store.rows = []model.Image{{ID: "0123456789abcdef", Name: "mine", Dir: dir}}
	if _, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: "mine"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil || len(r.store.rows) != 0 {
		t.Errorf("%v, rows %v", err, r.store.rows)
	}
}

// What a daemon that was killed leaves, at every step, is gone after Recover,
// and what is whole stays.
func TestRecover(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef"
	cases := []struct {
		name string
		kill func(t *testing.T, r *rig, img model.Image) // leaves what a kill would
		rows int
	}{
		{"nothing happened", func(*testing.T, *rig, model.Image) {}, 1},
		{"while it was staged", func(t *testing.T, r *rig, _ model.Image) {
			mkdir(t, filepath.Join(r.cfg.Dir, id+".staging", "modules"))
		}, 1},
		{"before it was recorded", func(t *testing.T, r *rig, _ model.Image) { mkdir(t, filepath.Join(r.cfg.Dir, id)) }, 1},
		{"after it was retired", func(t *testing.T, r *rig, img model.Image) {
			if err := os.Rename(img.Dir, img.Dir+".staging"); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"after its row went", func(t *testing.T, r *rig, img model.Image) {
			if err := os.Rename(img.Dir, img.Dir+".staging"); err != nil {
				t.Fatal(err)
			}
			r.store.rows = nil
		}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, img := pulled(t, nil)
			mkdir(t, filepath.Join(r.cfg.Dir, "notes"))
			whole := r.onDisk(t)
			c.kill(t, r, img)
			if err := image.New(r.cfg).Recover(context.Background()); err != nil {
				t.Fatal(err)
			}
			if len(r.store.rows) != c.rows {
				t.Errorf("rows %v", r.store.rows)
			}
			want := whole
			if c.rows == 0 {
				want = []string{}
			}
			if diff := cmp.Diff(want, r.onDisk(t)); diff != "" {
				t.Error(diff)
			}
			if _, err := os.Stat(filepath.Join(r.cfg.Dir, "notes")); err != nil {
				t.Errorf("a directory that is not ours: %v", err)
			}
		})
	}
}

func TestRecoverKeepsUnmanagedRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.rows = []model.Image{{ID: "1", Name: "on-another-disk", Dir: "/nonexistent"}}
	if err := r.Recover(context.Background()); err != nil || len(r.store.rows) != 1 {
		t.Errorf("%v, rows %v", err, r.store.rows)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
