package kernelcat_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"banger/internal/kernelcat"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/rpc"

	"golang.org/x/sys/unix"
)

// split moves the files whose names have the part into a list of their own.
func split(files []kerneltest.File, part string) (with, without []kerneltest.File) {
	for _, f := range files {
		if strings.Contains(f.Name, part) {
			with = append(with, f)
		} else {
			without = append(without, f)
		}
	}
	return with, without
}

// fedora are the files of kernel-core and kernel-modules-core: the kernel is
// below lib/modules.
func fedora(release string) (core, modules []kerneltest.File) {
	core, modules = split(kerneltest.KernelFiles(release), "./boot/")
	for i := range core {
		name := strings.TrimSuffix(filepath.Base(core[i].Name), "-"+release)
		core[i].Name = "./lib/modules/" + release + "/" + name
	}
	return core[1:], modules
}

// alpine gives the kernel the name that Alpine gives it.
func alpine(release string) []kerneltest.File {
	files := kerneltest.KernelFiles(release)
	for i := range files {
		files[i].Name = strings.Replace(strings.TrimPrefix(files[i].Name, "./"), "vmlinuz-"+release, "vmlinuz-virt", 1)
	}
	return files
}

func gzipped(t *testing.T, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		z := gzip.NewWriter(&b)
		if _, err := z.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestImportPackages(t *testing.T) {
	t.Parallel()
	core, modules := fedora(release)
	apk := kerneltest.APK(alpine(release)...)
	for name, packages := range map[string][][]byte{
		"deb":    {kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.KernelFiles(release)...))},
		"rpm":    {kerneltest.RPM(kerneltest.CPIO(core...)), kerneltest.RPM(gzipped(t, kerneltest.CPIO(modules...)))},
		"apk":    {gzipped(t, apk[0], apk[1], apk[2])},
		"bundle": {bundle(t, release)},
	} {
		e := newEnv(t)
		p := rpc.KernelImportParams{Name: "mine"}
		for i, body := range packages {
			p.Packages = append(p.Packages, e.file(t, name+string(rune('0'+i)), body))
		}
		k, err := e.ImportKernel(t.Context(), p, model.Discard)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if k.Version != release || k.ModuleCount != 8 || k.Source != strings.Join(p.Packages, " ") {
			t.Errorf("%s: %+v", name, k)
		}
		if _, err := e.Initramfs(t.Context(), k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, path := range p.Packages {
			read(t, path) // what was given is only read
		}
	}
}

func TestImportRefusesPackages(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	deb := func(files ...kerneltest.File) []byte { return kerneltest.Deb("data.tar", kerneltest.Tar(files...)) }
	good := deb(kerneltest.KernelFiles(release)...)
	_, modules := split(kerneltest.KernelFiles("5.10.0"), "./boot/")
	kernel, _ := split(kerneltest.KernelFiles(release), "vmlinuz")
	for name, c := range map[string]struct {
		body []byte
		code model.Code
	}{
		"truncated":              {good[:len(good)/2], model.CodeIntegrity},
		"leads outside":          {deb(kerneltest.File{Name: "./boot/../../etc/cron.d/x", Body: []byte("x")}), model.CodeIntegrity},
		"no kernel":              {deb(modules...), model.CodeInvalid},
		"no kernel but text":     {deb(kerneltest.File{Name: "boot/vmlinuz-1", Body: []byte("text")}), model.CodeInvalid},
		"no archive":             {[]byte("text"), model.CodeInvalid},
		"empty":                  {nil, model.CodeInvalid},
		"modules of another":     {deb(append(modules, kernel...)...), model.CodeInvalid},
		"a rpm that is cut":      {kerneltest.RPM(kerneltest.CPIO(kernel...))[:300], model.CodeIntegrity},
		"a kernel for microsoft": {[]byte("MZ" + strings.Repeat("\x00", 2000)), model.CodeInvalid},
	} {
		p := rpc.KernelImportParams{Name: "mine", Packages: []string{e.file(t, "package", c.body)}}
		_, err := e.ImportKernel(t.Context(), p, model.Discard)
		wantCode(t, name, err, c.code)
		e.wantNothing(t)
	}
	_, err := e.ImportKernel(t.Context(), rpc.KernelImportParams{Name: "mine", Host: true, Packages: []string{"/x"}}, model.Discard)
	wantCode(t, "two ways at once", err, model.CodeInvalid)
}

func TestImportHost(t *testing.T) {
	t.Parallel()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	running := unix.ByteSliceToString(u.Release[:])
	root := t.TempDir()
	e := newEnv(t, func(c *kernelcat.Config) { c.HostRoot = root })
	p := rpc.KernelImportParams{Name: "host", Host: true}
	_, err := e.ImportKernel(t.Context(), p, model.Discard)
	wantCode(t, "a host without its kernel's files", err, model.CodeNotFound)
	for _, f := range kerneltest.KernelFiles(running) {
		if f.Type != 0 {
			continue
		}
		path := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err := e.ImportKernel(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if k.Version != running || k.ModuleCount != 8 || k.Config == "" {
		t.Errorf("got %+v", k)
	}
}
