package kernelcat_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"banger/internal/ext4"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/rpc"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

// unpack returns the regular files of an archive that begins at offset.
func unpack(t *testing.T, path string, offset int) map[string]string {
	t.Helper()
	r := cpio.NewReader(bytes.NewReader(read(t, path)[offset:]))
	files := map[string]string{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode.IsRegular() {
			files[h.Name] = string(body)
		}
	}
}

func initramfsFiles(release string) map[string]string {
	files := map[string]string{
		"init": "the agent",
		"modules.list": "/modules/virtio_ring.ko\n/modules/virtio.ko\n/modules/virtio_mmio.ko\n/modules/virtio_blk.ko\n" +
			"/modules/virtio_console.ko\n/modules/failover.ko\n/modules/virtio_net.ko\n",
	}
	for path, body := range kerneltest.Below(kerneltest.KernelFiles(release), "./lib/modules/"+release+"/kernel/drivers/") {
		if name := filepath.Base(path); name != "other.ko" {
			files["modules/"+name] = string(body)
		}
	}
	return files
}

func TestInitramfs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	path, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(initramfsFiles(release), unpack(t, path, 0)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if again, err := e.Initramfs(t.Context(), k); err != nil || again != path {
		t.Errorf("a second time: %s, %v", again, err)
	}
	if size := len(read(t, path)); size%4096 != 0 {
		t.Errorf("%d bytes are no whole pages: microvm would put the end over the ACPI tables", size)
	}
}

func TestInitramfsFollowsTheAgent(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	first, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(e.cfg.AgentPath); err != nil {
		t.Fatal(err)
	}
	_, err = e.Initramfs(t.Context(), k)
	wantCode(t, "without an agent", err, model.CodeUnsupported)
	e.file(t, "banger-agent", []byte("the next agent"))
	second, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if second == first || unpack(t, second, 0)["init"] != "the next agent" {
		t.Error("the initial file system still has the old agent")
	}
	if unpack(t, first, 0)["init"] != "the agent" {
		t.Error("the old file was changed in place")
	}
}

func TestInitramfsAtOnceIsBuiltOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	paths := make([]string, 8)
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			var err error
			if paths[i], err = e.Initramfs(t.Context(), k); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	left, err := os.ReadDir(e.cfg.Paths.Initramfs())
	if err != nil || len(left) != 1 || filepath.Join(e.cfg.Paths.Initramfs(), left[0].Name()) != paths[7] {
		t.Errorf("in the cache: %v, %v", left, err)
	}
}

func TestInitramfsRefusesChangedModules(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	module := filepath.Join(k.Dir, model.ModulesDir, "kernel/drivers/virtio/virtio.ko")
	if err := os.WriteFile(module, kerneltest.Module("virtio", "6.1.0-2"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := e.Initramfs(t.Context(), k)
	wantCode(t, "changed module", err, model.CodeIntegrity)
	if left, err := os.ReadDir(e.cfg.Paths.Initramfs()); err != nil || len(left) != 0 {
		t.Errorf("a failed build left %v, %v", left, err)
	}
}

// TestForeignInitrdLiesBelow: the foreign part comes first, ours at the next
// multiple of four.
func TestForeignInitrdLiesBelow(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k, err := e.ImportKernel(t.Context(), rpc.KernelImportParams{
		Name:       "mine",
		KernelPath: e.file(t, "vmlinux", kerneltest.ELF(kerneltest.Kernel{Release: release})),
		InitrdPath: e.file(t, "initrd.img", []byte("foreign")),
	}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	path, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(read(t, path), []byte("foreign\x00070701")) {
		t.Errorf("it starts with %q", read(t, path)[:20])
	}
	want := map[string]string{"init": "the agent", "modules.list": ""}
	if diff := cmp.Diff(want, unpack(t, path, 8)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInitramfsForPaths(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	elf := kerneltest.ELF(kerneltest.Kernel{Release: release})
	b := model.BootFiles{Kernel: e.file(t, "bzImage", kerneltest.BzImage(release, elf)), Modules: e.modules(t, release)}
	path, err := e.InitramfsFor(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(initramfsFiles(release), unpack(t, path, 0)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if same, err := e.Initramfs(t.Context(), e.pull(t, "")); err != nil || same != path {
		t.Errorf("equal content has two files: %s and %s, %v", path, same, err)
	}
	b.Modules = e.modules(t, "6.9.9")
	_, err = e.InitramfsFor(t.Context(), b)
	wantCode(t, "modules of another kernel", err, model.CodeInvalid)
	b.Modules, b.Initrd = "", filepath.Join(e.dir, "absent")
	_, err = e.InitramfsFor(t.Context(), b)
	wantCode(t, "absent initrd", err, model.CodeInvalid)
}

// TestModulesDisk: all modules of a kernel are on it, uncompressed, with their
// index; it is made once, and not for a kernel without modules.
func TestModulesDisk(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	disk, err := e.ModulesDisk(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fsys, err := ext4.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range kerneltest.Below(kerneltest.KernelFiles(k.Version), "./lib/modules/"+k.Version+"/") {
		if filepath.Ext(path) != ".ko" {
			continue
		}
		n, err := fsys.Lookup("/" + path)
		if err != nil || n.Size != int64(len(body)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := fsys.Lookup("/modules.dep"); err != nil {
		t.Error(err)
	}
	if again, err := e.ModulesDisk(t.Context(), k); err != nil || again != disk {
		t.Errorf("again: %s, %v", again, err)
	}
	k.Modules = false
	if none, err := e.ModulesDisk(t.Context(), k); err != nil || none != "" {
		t.Errorf("without modules: %q, %v", none, err)
	}
}
