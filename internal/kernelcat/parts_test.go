package kernelcat_test

import (
	"slices"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
)

func TestPartsOfAKernel(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.pull(t, "")
	options, err := e.KernelOptions(t.Context(), rpc.NameParams{})
	if err != nil {
		t.Fatal(err)
	}
	if len(options) == 0 || !slices.IsSortedFunc(options, func(a, b model.KernelOption) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("options: %v", options)
	}
	modules, err := e.KernelModules(t.Context(), rpc.NameParams{Name: "debian-12-cloud"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(modules, func(m model.KernelModule) bool { return m.Name == "virtio_blk" && m.Path != "" }) {
		t.Errorf("modules: %v", modules)
	}
	for _, ask := range []func() error{
		func() error { _, err := e.KernelOptions(t.Context(), rpc.NameParams{Name: "debian-12"}); return err },
		func() error { _, err := e.KernelModules(t.Context(), rpc.NameParams{Name: "nothing"}); return err },
	} {
		if err := ask(); model.CodeOf(err) != model.CodeNotFound {
			t.Errorf("of a kernel that is not here: %v", err)
		}
	}
}
