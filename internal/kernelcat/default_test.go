package kernelcat_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/kernelcat"
	"banger/internal/model"
	"banger/internal/rpc"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, err := e.DefaultKernel(t.Context(), rpc.KernelDefaultParams{})
	wantCode(t, "the default one is not here", err, model.CodeNotFound)
	_, err = e.DefaultKernel(t.Context(), rpc.KernelDefaultParams{Name: "debian-12"})
	wantCode(t, "choosing one that is not here", err, model.CodeNotFound)

	e.pull(t, "")
	e.pull(t, "debian-12")
	k, err := e.DefaultKernel(t.Context(), rpc.KernelDefaultParams{Name: "debian-12"})
	if err != nil || !k.Default {
		t.Fatalf("%+v, %v", k, err)
	}
	if k, err := e.EnsureKernel(t.Context(), "", model.Discard); err != nil || k.Name != "debian-12" || !k.Default {
		t.Errorf("booted without a name: %+v, %v", k, err)
	}
	kernels, err := e.ListCatalog(t.Context())
	if err != nil || kernels[0].Default || !kernels[1].Default {
		t.Errorf("catalog: %+v, %v", kernels, err)
	}
	_, err = e.DeleteKernel(t.Context(), rpc.NameParams{Name: "debian-12"})
	wantCode(t, "deleting the chosen one", err, model.CodeConflict)
	if !strings.Contains(model.HintOf(err), "banger kernel default") {
		t.Errorf("hint %q", model.HintOf(err))
	}
	if err := e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k, err := e.DefaultKernel(t.Context(), rpc.KernelDefaultParams{}); err != nil || k.Name != "debian-12" {
		t.Errorf("after a restart: %+v, %v", k, err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *kernelcat.Config) {
		c.Users = func(_ context.Context, kernel string, _ bool) ([]string, error) {
			if kernel == "used" {
				return []string{"VM web"}, nil
			}
			return nil, nil
		}
	})
	for _, name := range []string{"used", "unused"} {
		p := rpc.KernelImportParams{Name: name, Packages: []string{e.file(t, name+".tar.zst", bundle(t, release))}}
		if _, err := e.ImportKernel(t.Context(), p, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	e.pull(t, "")
	for i, want := range []string{"unused", "unused", ""} {
		dry := i == 0
		pruned, err := e.PruneKernels(t.Context(), rpc.KernelPruneParams{DryRun: dry})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, k := range pruned {
			names = append(names, k.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("dry run %v: pruned %q, want %q", dry, got, want)
		}
	}
	if diff := cmp.Diff([]string{"debian-12-cloud", "used"}, e.onDisk(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
