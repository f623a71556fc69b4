package vm_test

import (
	"context"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
)

// TestBeginningsOfNames: what only looks takes the beginning of a name; what
// cannot be taken back wants all of it, or an id.
func TestBeginningsOfNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web2")
	if got, err := r.ShowVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil || got.ID != v.ID {
		t.Errorf("show web = %s, %v", got.Name, err)
	}
	for verb, call := range map[string]func(ctx context.Context, name string) error{
		"kill": func(ctx context.Context, name string) error {
			_, err := r.KillVM(ctx, rpc.NameParams{Name: name})
			return err
		},
		"reset": func(ctx context.Context, name string) error {
			_, err := r.ResetVM(ctx, rpc.VMResetParams{Name: name, Force: true}, model.Discard)
			return err
		},
		"rebase": func(ctx context.Context, name string) error {
			_, err := r.RebaseVM(ctx, rpc.VMRebaseParams{Name: name, Image: "debian", Force: true}, model.Discard)
			return err
		},
		"delete": func(ctx context.Context, name string) error {
			_, err := r.DeleteVM(ctx, rpc.VMDeleteParams{Name: name, Force: true}, model.Discard)
			return err
		},
	} {
		for _, name := range []string{"web", v.ID[:5]} {
			err := call(t.Context(), name)
			if model.CodeOf(err) != model.CodeNotFound || !strings.Contains(model.HintOf(err), "web2") {
				t.Errorf("%s %s: %v (%s)", verb, name, err, model.HintOf(err))
			}
		}
	}
	if r.state("web2") != model.VMRunning {
		t.Error("web2 was ended in place of web")
	}
	if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: v.ID[:8], Force: true}, model.Discard); err != nil {
		t.Errorf("delete by the beginning of an id: %v", err)
	}
	r.nothingLeft()
}
