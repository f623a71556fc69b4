package kernelcat_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/rpc"
)

// TestBuildKernel builds of a tree whose make brings a small kernel that is
// there already; it is not found at first.
func TestBuildKernel(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"make", "gcc", "flex", "bison", "bc", "nice"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this host", tool)
		}
	}
	e := newEnv(t)
	tree := filepath.Join(e.dir, "tree")
	e.file(t, "tree/Kconfig", nil)
	e.file(t, "tree/Makefile", []byte("allnoconfig:\n\t@cp $(KCONFIG_ALLCONFIG) $(O)/.config\nvmlinux:\n\t@cp kernel $(O)/vmlinux\n"))
	p := rpc.KernelBuildParams{Source: tree, Flavour: "net"}
	_, err := e.BuildKernel(t.Context(), p, model.Discard)
	wantCode(t, "a source that does not compile", err, model.CodeInvalid)
	dir := filepath.Join(e.cfg.Paths.KernelBuilds(), "net")
	if !strings.Contains(model.HintOf(err), dir) {
		t.Errorf("hint %q", model.HintOf(err))
	}
	e.wantNothing(t)

	e.file(t, "tree/kernel", kerneltest.ELF(kerneltest.Kernel{Release: "6.1-banger-net"}))
	k, err := e.BuildKernel(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if has := strings.Join(k.Has, " "); k.Name != "net" || k.Flavour != "net" || has != "virtio virtio-mmio virtio-pci vsock tun wireguard policy-routing nftables overlay 9p virtiofs virtio-builtin" {
		t.Errorf("got %+v", k)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the build directory: %v", err)
	}
	for name, bad := range map[string]rpc.KernelBuildParams{
		"a name that is taken": p,
		"a relative source":    {Name: "a", Source: "linux"},
		"an unknown flavour":   {Name: "a", Flavour: "huge", Source: tree},
		"no such fragment":     {Name: "a", Fragments: []string{"/nonexistent"}, Source: tree},
	} {
		if _, err := e.BuildKernel(t.Context(), bad, model.Discard); err == nil || model.CodeOf(err) == model.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}
