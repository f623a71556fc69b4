package vm_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
)

// CommitDisk writes the disk beside the VM's directory.
func (c *catalog) CommitDisk(ctx context.Context, vm model.VM, to string, flatten func(context.Context, string) error, _ model.Report) (model.Image, error) {
	dst := vm.Dir + "-" + to
	return model.Image{Name: to, Rootfs: dst}, flatten(ctx, dst)
}

func TestCommitTakesTheDiskOfAStoppedVM(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	commit := rpc.VMCommitParams{Name: "web", Image: "new"}
	if _, err := r.CommitVM(t.Context(), commit, model.Discard); model.CodeOf(err) != model.CodeConflict || !strings.Contains(model.HintOf(err), "banger stop web") {
		t.Errorf("running: %v, hint %q", err, model.HintOf(err))
	}
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	img, err := r.CommitVM(t.Context(), commit, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.Stat(r.catalog.image.RootfsPath())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Stat(img.RootfsPath()); err != nil || got.Size() < base.Size() {
		t.Errorf("the flat disk: %v", err)
	}
	if _, err := r.CommitVM(t.Context(), rpc.VMCommitParams{Name: "none", Image: "new"}, model.Discard); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("no VM: %v", err)
	}
}
