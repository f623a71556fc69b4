package vm_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/image"
	"banger/internal/model"
	"banger/internal/rpc"
)

// TestCreateOfAReplacedImage: a build takes the name of an image over between
// its being found and its being used.
func TestCreateOfAReplacedImage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.catalog.stale = &model.Image{ID: "fedcba9876543210", Name: "app"}
	v, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web"}, model.Discard)
	if err != nil || v.ImageID != r.catalog.image.ID {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestImageLeft: who keeps images learns which VMs no longer use one.
func TestImageLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app, other := r.catalog.image.ID, r.addImage("other", "/app").ID
	for _, name := range []string{"a", "b"} {
		if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: name}, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	rebase := func(image string) {
		t.Helper()
		if _, err := r.RebaseVM(t.Context(), rpc.VMRebaseParams{Name: "b", Image: image}, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "a"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	rebase("other")
	rebase("other") // which it has
	rebase("app")
	if d := cmp.Diff([]string{app, app, other}, r.left); d != "" {
		t.Error(d)
	}
}

// TestImageIsShared: VMs are made and reset while a build holds their image.
func TestImageIsShared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	unlock, err := r.ops.Share(ctx, image.LockKey(r.catalog.image.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := r.CreateVM(ctx, rpc.VMCreateParams{Image: "app", Name: "web"}, model.Discard); err != nil {
		t.Error(err)
	}
	if _, err := r.ResetVM(ctx, rpc.VMResetParams{Name: "web"}, model.Discard); err != nil {
		t.Error(err)
	}
}
