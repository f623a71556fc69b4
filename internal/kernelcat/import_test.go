package kernelcat_test

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/rpc"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// modules writes the modules directory of a kernel to import and returns it.
func (e *env) modules(t *testing.T, release string) string {
	t.Helper()
	for name, body := range kerneltest.Below(kerneltest.KernelFiles(release), "./lib/modules/"+release+"/") {
		e.file(t, filepath.Join(release, name), body)
	}
	dir := filepath.Join(e.dir, release)
	if err := os.Symlink("/usr/src/linux-headers", filepath.Join(dir, "build")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImport(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	image := kerneltest.ELF(kerneltest.Kernel{Release: release})
	p := rpc.KernelImportParams{
		Name:       "mine",
		KernelPath: e.file(t, "bzImage", kerneltest.BzImage(release, image)),
		InitrdPath: e.file(t, "initrd.img", []byte("foreign")),
		ModulesDir: e.modules(t, release),
	}
	k, err := e.ImportKernel(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := model.Kernel{
		Name: "mine", Dir: filepath.Join(e.cfg.Paths.Kernels(), "mine"), Version: release, Arch: "amd64",
		Source: p.KernelPath, Modules: true, Initrd: true, Has: []string{"modules", "initrd", "virtio", "virtio-mmio", "virtio-pci"}, ModuleCount: 8, Digest: k.Digest, SizeBytes: k.SizeBytes, CreatedAt: k.CreatedAt,
	}
	if diff := cmp.Diff(want, k); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !bytes.Equal(read(t, filepath.Join(k.Dir, model.VmlinuxFile)), image) {
		t.Error("vmlinux is not the ELF kernel of the bzImage")
	}
	if got := read(t, filepath.Join(k.Dir, model.InitrdFile)); string(got) != "foreign" {
		t.Errorf("initrd holds %q", got)
	}
	read(t, filepath.Join(k.Dir, model.ModulesDir, "kernel/drivers/virtio/virtio.ko"))
	if _, err := os.Lstat(filepath.Join(k.Dir, model.ModulesDir, "build")); !os.IsNotExist(err) {
		t.Errorf("a link was taken along: %v", err)
	}
	if again, err := e.EnsureKernel(t.Context(), "mine", model.Discard); err != nil || !cmp.Equal(again, k) {
		t.Errorf("ensure: %+v, %v", again, err)
	}
	_, err = e.ImportKernel(t.Context(), p, model.Discard)
	wantCode(t, "the same name again", err, model.CodeConflict)
}

func TestImportOfAnELFKernelAlone(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	image := kerneltest.ELF(kerneltest.Kernel{Release: "6.6.1", NoPVH: true})
	var notes []string
	k, err := e.ImportKernel(t.Context(), rpc.KernelImportParams{Name: "bare", KernelPath: e.file(t, "vmlinux", image)},
		func(p model.Progress) {
			if p.Note != "" {
				notes = append(notes, p.Note)
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	if k.Modules || k.Initrd || k.Version != "6.6.1" {
		t.Errorf("got %+v", k)
	}
	if len(notes) != 1 {
		t.Errorf("a kernel without a PVH entry: notes %q, want one", notes)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	good := e.file(t, "vmlinux", kerneltest.ELF(kerneltest.Kernel{Release: release}))
	fits := e.modules(t, release)
	fifo := filepath.Join(e.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		p    rpc.KernelImportParams
		code model.Code
	}{
		"bad name":              {rpc.KernelImportParams{Name: "../x", KernelPath: good}, model.CodeInvalid},
		"name of a staging dir": {rpc.KernelImportParams{Name: "x.staging", KernelPath: good}, model.CodeInvalid},
		"name of the catalog":   {rpc.KernelImportParams{Name: "debian-12", KernelPath: good}, model.CodeConflict},
		"no kernel given":       {rpc.KernelImportParams{Name: "x"}, model.CodeInvalid},
		"relative path":         {rpc.KernelImportParams{Name: "x", KernelPath: "vmlinux"}, model.CodeInvalid},
		"absent kernel":         {rpc.KernelImportParams{Name: "x", KernelPath: good + ".not"}, model.CodeInvalid},
		"a directory":           {rpc.KernelImportParams{Name: "x", KernelPath: e.dir}, model.CodeInvalid},
		"a pipe":                {rpc.KernelImportParams{Name: "x", KernelPath: fifo}, model.CodeInvalid},
		"no kernel":             {rpc.KernelImportParams{Name: "x", KernelPath: e.file(t, "text", []byte("text"))}, model.CodeInvalid},
		"of another machine": {rpc.KernelImportParams{Name: "x", KernelPath: e.file(t, "arm",
			kerneltest.ELF(kerneltest.Kernel{Release: release, Machine: elf.EM_AARCH64}))}, model.CodeUnsupported},
		"modules of another kernel": {rpc.KernelImportParams{Name: "x", KernelPath: good, ModulesDir: e.modules(t, "6.9.9")}, model.CodeInvalid},
		"unrelated modules of another kernel": {rpc.KernelImportParams{Name: "x", KernelPath: good,
			ModulesDir: filepath.Dir(e.file(t, "odd/odd.ko", kerneltest.Module("odd", "5.4")))}, model.CodeInvalid},
		"absent modules":   {rpc.KernelImportParams{Name: "x", KernelPath: good, ModulesDir: fits + ".not"}, model.CodeInvalid},
		"modules a file":   {rpc.KernelImportParams{Name: "x", KernelPath: good, ModulesDir: good}, model.CodeInvalid},
		"absent initrd":    {rpc.KernelImportParams{Name: "x", KernelPath: good, InitrdPath: good + ".not"}, model.CodeInvalid},
		"relative modules": {rpc.KernelImportParams{Name: "x", KernelPath: good, ModulesDir: "modules"}, model.CodeInvalid},
	} {
		_, err := e.ImportKernel(t.Context(), c.p, model.Discard)
		wantCode(t, name, err, c.code)
		e.wantNothing(t)
	}
}

func TestImportEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := rpc.KernelImportParams{
		Name: "x", KernelPath: e.file(t, "vmlinux", kerneltest.ELF(kerneltest.Kernel{Release: release})), ModulesDir: e.modules(t, release),
	}
	_, err := e.ImportKernel(ctx, p, func(p model.Progress) {
		if p.Stage == "copy" {
			cancel()
		}
	})
	wantCode(t, "canceled", err, model.CodeCanceled)
	e.wantNothing(t)
}
