package kernelcat_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/kernelcat"
	"banger/internal/model"
	"banger/internal/rpc"

	"github.com/google/go-cmp/cmp"
)

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, err := e.EnsureKernel(t.Context(), "debian-12-clout", model.Discard)
	wantCode(t, "a slip", err, model.CodeNotFound)
	if !strings.Contains(err.Error(), "debian-12-cloud") || model.HintOf(err) != "banger kernel list --available" {
		t.Errorf("got %v, hint %q", err, model.HintOf(err))
	}
	_, err = e.ShowKernel(t.Context(), rpc.NameParams{Name: "debian-12"})
	wantCode(t, "show of one not pulled", err, model.CodeNotFound)
	if model.HintOf(err) != "banger kernel pull debian-12" {
		t.Errorf("hint %q", model.HintOf(err))
	}
	for _, name := range []string{"../etc", "A", "a/b", strings.Repeat("a", 64)} {
		_, err = e.EnsureKernel(t.Context(), name, model.Discard)
		wantCode(t, name, err, model.CodeInvalid)
	}
	arm := newEnv(t, func(c *kernelcat.Config) { c.Arch = "arm64" })
	_, err = arm.EnsureKernel(t.Context(), "", model.Discard)
	wantCode(t, "no default for the architecture", err, model.CodeUnsupported)
}

func TestLists(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	kernels, err := e.ListKernels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]model.Kernel{k}, kernels); diff != "" {
		t.Errorf("kernels: (-want +got)\n%s", diff)
	}
	shown, err := e.ShowKernel(t.Context(), rpc.NameParams{Name: k.Name})
	if err != nil || !cmp.Equal(shown, k) {
		t.Errorf("show: %+v, %v", shown, err)
	}
	catalog, err := e.ListCatalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pulled := map[string]bool{}
	for _, c := range catalog {
		pulled[c.Name] = c.Pulled
		if len(c.Sources) == 0 || c.Description == "" {
			t.Errorf("%+v lacks sources or description", c)
		}
	}
	if diff := cmp.Diff(map[string]bool{"debian-12-cloud": true, "debian-12": false, "debian-13-cloud": false, "debian-13": false, "ubuntu-24.04": false}, pulled); diff != "" {
		t.Errorf("catalog: (-want +got)\n%s", diff)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	users := []string{"image debian", "VM web"}
	e := newEnv(t, func(c *kernelcat.Config) {
		c.Users = func(_ context.Context, kernel string, isDefault bool) ([]string, error) {
			if kernel != "debian-12-cloud" || !isDefault {
				t.Errorf("asked for users of %q", kernel)
			}
			return users, nil
		}
	})
	k := e.pull(t, "")
	p := rpc.NameParams{Name: k.Name}
	_, err := e.DeleteKernel(t.Context(), p)
	wantCode(t, "while in use", err, model.CodeConflict)
	if !strings.Contains(err.Error(), "image debian, VM web") {
		t.Errorf("got %v", err)
	}
	read(t, filepath.Join(k.Dir, model.VmlinuxFile))

	users = nil
	if got, err := e.DeleteKernel(t.Context(), p); err != nil || !cmp.Equal(got, k) {
		t.Errorf("got %+v, %v", got, err)
	}
	e.wantNothing(t)
	_, err = e.DeleteKernel(t.Context(), p)
	wantCode(t, "a second time", err, model.CodeNotFound)
}

func TestRecover(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	if err := e.Recover(t.Context()); err != nil {
		t.Errorf("of an empty state: %v", err)
	}
	k := e.pull(t, "")
	initramfs, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	cache := e.cfg.Paths.Initramfs()
	old := filepath.Join(cache, "0123.cpio")
	for _, path := range []string{
		filepath.Join(e.cfg.Paths.Kernels(), "debian-12.staging", "vmlinux"),
		filepath.Join(e.cfg.Paths.Kernels(), "without-row", "vmlinux"),
		filepath.Join(cache, ".half.cpio123"), old,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	year := time.Now().AddDate(-1, 0, 0)
	if err := os.Chtimes(old, year, year); err != nil {
		t.Fatal(err)
	}
	if err := e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{k.Name}, e.onDisk(t)); diff != "" {
		t.Errorf("kernels: (-want +got)\n%s", diff)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{initramfs}, left); diff != "" {
		t.Errorf("initial file systems: (-want +got)\n%s", diff)
	}
}
