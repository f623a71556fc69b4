package kernelcat_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"

	"github.com/google/go-cmp/cmp"
)

func TestPull(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	elf := kerneltest.ELF(kerneltest.Kernel{Release: release})
	want := model.Kernel{
		Name: "debian-12-cloud", Dir: filepath.Join(e.cfg.Paths.Kernels(), "debian-12-cloud"),
		Version: release, Arch: "amd64", Distro: "debian", Flavour: "cloud",
		Source:  "debian bookworm linux-image-cloud-amd64: linux-image-cloud-amd64 6.1.1-1",
		Modules: true, Default: true, Has: []string{"modules", "virtio", "virtio-mmio", "virtio-pci"}, ModuleCount: 8,
		Config: filepath.Join(e.cfg.Paths.Kernels(), "debian-12-cloud", "config"),
		Digest: k.Digest, SizeBytes: k.SizeBytes, CreatedAt: k.CreatedAt,
	}
	if diff := cmp.Diff(want, k); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !bytes.Equal(read(t, filepath.Join(k.Dir, model.VmlinuxFile)), elf) {
		t.Error("vmlinux is not the kernel of the package")
	}
	for name, body := range kerneltest.Below(kerneltest.KernelFiles(release), "./lib/modules/"+release+"/") {
		if !bytes.Equal(read(t, filepath.Join(k.Dir, model.ModulesDir, name)), body) {
			t.Errorf("modules/%s differs", name)
		}
	}
	if diff := cmp.Diff([]string{"debian-12-cloud"}, e.onDisk(t)); diff != "" {
		t.Errorf("on disk: (-want +got)\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(k.Dir, "packages")); !os.IsNotExist(err) {
		t.Errorf("the packages were left: %v", err)
	}
	if again := e.pull(t, "debian-12-cloud"); !cmp.Equal(again, k) {
		t.Errorf("a second pull gave %+v", again)
	}
	if n := len(e.mirror.requests()); n != 1 {
		t.Errorf("%d downloads for two pulls", n)
	}
}

func TestPullAtOnceSharesOneDownload(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := e.EnsureKernel(t.Context(), "", model.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(e.mirror.requests()); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestPullFallsBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.mirror.errs["linux-image-cloud-amd64"] = model.Errorf(model.CodeUnsupported, "no mirror")
	k := e.pull(t, "")
	if k.Distro != "ubuntu" || k.Version != "6.8.0-60-generic" {
		t.Errorf("got %+v", k)
	}
	want := []apt.Request{
		{Distro: "debian", Suite: "bookworm", Package: "linux-image-cloud-amd64"},
		{Distro: "ubuntu", Package: "linux-image-virtual"},
	}
	if diff := cmp.Diff(want, e.mirror.requests()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPullFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	replace := func(files []kerneltest.File, from, to string) []kerneltest.File {
		files = slices.Clone(files)
		for i := range files {
			files[i].Name = strings.ReplaceAll(files[i].Name, from, to)
		}
		return files
	}
	drop := func(part string) []kerneltest.File {
		return slices.DeleteFunc(kerneltest.KernelFiles(release), func(f kerneltest.File) bool { return strings.Contains(f.Name, part) })
	}
	add := func(f ...kerneltest.File) []kerneltest.File { return append(kerneltest.KernelFiles(release), f...) }
	for name, c := range map[string]struct {
		files []kerneltest.File
		code  model.Code
	}{
		"no kernel":               {drop("vmlinuz"), model.CodeInvalid},
		"no kernel inside":        {append(drop("vmlinuz"), kerneltest.File{Name: "boot/vmlinuz-" + release, Body: []byte("text")}), model.CodeInvalid},
		"no disk driver":          {drop("virtio_blk"), model.CodeUnsupported},
		"module needs another":    {drop("net/failover"), model.CodeInvalid},
		"files of two kernels":    {add(kerneltest.File{Name: "lib/modules/5.10.0/a.ko", Body: []byte("x")}), model.CodeInvalid},
		"modules of another":      {replace(kerneltest.KernelFiles("5.10.0"), "5.10.0", release)[5:], model.CodeInvalid},
		"kernel twice":            {add(kerneltest.KernelFiles(release)[1]), model.CodeIntegrity},
		"file twice":              {add(kerneltest.KernelFiles(release)[2]), model.CodeIntegrity},
		"name leads outside":      {add(kerneltest.File{Name: "lib/modules/" + release + "/../../../../evil", Body: []byte("x")}), model.CodeIntegrity},
		"module file is a folder": {add(kerneltest.File{Name: "lib/modules/" + release + "/modules.builtin/x", Body: []byte("x")}), model.CodeIntegrity},
	} {
		if name == "modules of another" {
			c.files = append(c.files, kerneltest.KernelFiles(release)[1])
		}
		e := newEnv(t)
		e.mirror.packages["linux-image-cloud-amd64"] = c.files
		_, err := e.EnsureKernel(t.Context(), "", model.Discard)
		wantCode(t, name, err, c.code)
		e.wantNothing(t)
		e.mirror.packages["linux-image-cloud-amd64"] = kerneltest.KernelFiles(release)
		e.pull(t, "")
	}
}

func TestPullSourceErrors(t *testing.T) {
	t.Parallel()
	unsupported := model.Errorf(model.CodeUnsupported, "this host is none")
	unreachable := model.Errorf(model.CodeUnreachable, "no answer").WithHint("check the network")
	integrity := model.Errorf(model.CodeIntegrity, "bad signature")
	for name, c := range map[string]struct {
		first, second error
		code          model.Code
		asked         int
		hint          string
	}{
		"nothing for this host":   {unsupported, unsupported, model.CodeUnsupported, 2, "import"},
		"the mirror is down":      {unreachable, unsupported, model.CodeUnreachable, 2, "check the network"},
		"the second one is down":  {unsupported, unreachable, model.CodeUnreachable, 2, "check the network"},
		"a forgery ends the pull": {integrity, nil, model.CodeIntegrity, 1, ""},
	} {
		e := newEnv(t)
		e.mirror.errs["linux-image-cloud-amd64"], e.mirror.errs["linux-image-virtual"] = c.first, c.second
		_, err := e.EnsureKernel(t.Context(), "", model.Discard)
		wantCode(t, name, err, c.code)
		if n := len(e.mirror.requests()); n != c.asked {
			t.Errorf("%s: %d sources asked, want %d", name, n, c.asked)
		}
		if !strings.Contains(model.HintOf(err), c.hint) {
			t.Errorf("%s: hint %q", name, model.HintOf(err))
		}
		e.wantNothing(t)
	}
}

func TestPullTakesBackWhatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.store.failing = model.Errorf(model.CodeNoSpace, "the disk is full")
	_, err := e.EnsureKernel(t.Context(), "", model.Discard)
	wantCode(t, "pull", err, model.CodeNoSpace)
	e.store.failing = nil
	e.wantNothing(t)
	e.pull(t, "")
}

func TestPullMakesUpForLostFiles(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	if err := os.RemoveAll(k.Dir); err != nil {
		t.Fatal(err)
	}
	e.pull(t, "")
	read(t, filepath.Join(k.Dir, model.VmlinuxFile))

	e.store.rows["mine"] = model.Kernel{Name: "mine", Dir: filepath.Join(e.dir, "gone")}
	_, err := e.EnsureKernel(t.Context(), "mine", model.Discard)
	wantCode(t, "an imported kernel without files", err, model.CodeNotFound)
	if !strings.Contains(err.Error(), "gone or damaged") || model.HintOf(err) == "" {
		t.Errorf("got %v, hint %q", err, model.HintOf(err))
	}
}
