package imagemgr_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/imagemgr"
	"banger/internal/model"
)

// write makes a file with its directory and returns its path.
func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func at(offset int, magic string) []byte { return append(make([]byte, offset), magic...) }

func TestValidateKernelPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	elf := write(t, dir+"/vmlinux", at(0, "\x7fELF\x02"))
	bz := write(t, dir+"/bzImage", at(0x202, "HdrS"))
	arm := write(t, dir+"/Image", at(56, "ARM\x64"))
	text := write(t, dir+"/text", []byte("not a kernel"))
	empty := write(t, dir+"/empty", nil)
	cases := []struct {
		name string
		boot model.BootFiles
		code model.Code
	}{
		{"kernel alone", model.BootFiles{Kernel: elf}, ""},
		{"bzImage, initrd, modules", model.BootFiles{Kernel: bz, Initrd: text, Modules: dir}, ""},
		{"arm64", model.BootFiles{Kernel: arm}, ""},
		{"nothing", model.BootFiles{}, model.CodeInvalid},
		{"initrd without a kernel", model.BootFiles{Initrd: text}, model.CodeInvalid},
		{"no kernel there", model.BootFiles{Kernel: dir + "/gone"}, model.CodeNotFound},
		{"kernel is text", model.BootFiles{Kernel: text}, model.CodeInvalid},
		{"kernel is empty", model.BootFiles{Kernel: empty}, model.CodeInvalid},
		{"kernel is a directory", model.BootFiles{Kernel: dir}, model.CodeInvalid},
		{"relative", model.BootFiles{Kernel: "vmlinux"}, model.CodeInvalid},
		{"NUL", model.BootFiles{Kernel: "/a\x00b"}, model.CodeInvalid},
		{"empty initrd", model.BootFiles{Kernel: elf, Initrd: empty}, model.CodeInvalid},
		{"no initrd there", model.BootFiles{Kernel: elf, Initrd: dir + "/gone"}, model.CodeNotFound},
		{"modules are a file", model.BootFiles{Kernel: elf, Modules: text}, model.CodeInvalid},
	}
	for _, c := range cases {
		if err := imagemgr.ValidateKernelPaths(c.boot); model.CodeOf(err) != c.code {
			t.Errorf("%s: %v (%s), want %q", c.name, err, model.CodeOf(err), c.code)
		}
	}
}

func TestValidateRegisterPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rootfs := write(t, dir+"/rootfs", at(1024+56, "\x53\xef"))
	kernel := write(t, dir+"/vmlinux", at(0, "\x7fELF"))
	cases := []struct {
		rootfs string
		boot   model.BootFiles
		code   model.Code
	}{
		{rootfs, model.BootFiles{}, ""},
		{rootfs, model.BootFiles{Kernel: kernel}, ""},
		{kernel, model.BootFiles{}, model.CodeInvalid},
		{dir + "/gone", model.BootFiles{Kernel: kernel}, model.CodeNotFound},
		{rootfs, model.BootFiles{Modules: dir}, model.CodeInvalid},
	}
	for _, c := range cases {
		if err := imagemgr.ValidateRegisterPaths(c.rootfs, c.boot); model.CodeOf(err) != c.code {
			t.Errorf("%s, %+v: %v (%s), want %q", c.rootfs, c.boot, err, model.CodeOf(err), c.code)
		}
	}
}

func TestStageBootArtifacts(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	boot := model.BootFiles{
		Kernel:  write(t, src+"/k", []byte("kernel")),
		Initrd:  write(t, src+"/i", []byte("initrd")),
		Modules: filepath.Dir(write(t, src+"/m/modules.dep", []byte("dep"))),
	}
	write(t, src+"/m/kernel/fs/x.ko", []byte("module"))
	if err := os.Symlink("/etc", src+"/m/build"); err != nil {
		t.Fatal(err)
	}
	s := newStaging(t)
	staged, err := imagemgr.StageBootArtifacts(context.Background(), s, boot)
	if err != nil {
		t.Fatal(err)
	}
	write(t, boot.Kernel, []byte("changed")) // the user's file goes on living
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{staged.Kernel: "kernel", staged.Initrd: "initrd",
		staged.Modules + "/modules.dep": "dep", staged.Modules + "/kernel/fs/x.ko": "module"}
	for path, content := range want {
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("%s: %q, %v, want %q", path, b, err, content)
		}
	}
	if _, err := os.Lstat(staged.Modules + "/build"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link was staged: %v", err)
	}
}

func TestStageNothing(t *testing.T) {
	t.Parallel()
	s := newStaging(t)
	staged, err := imagemgr.StageBootArtifacts(context.Background(), s, model.BootFiles{})
	if err != nil || staged != (model.BootFiles{}) {
		t.Errorf("%+v, %v", staged, err)
	}
	if path, err := imagemgr.StageOptionalArtifactPath(s, s.Dir+"/gone", "x"); err == nil {
		t.Errorf("staged %s of nothing", path)
	}
}

func newStaging(t *testing.T) imagemgr.Staging {
	t.Helper()
	s, err := imagemgr.NewStaging(filepath.Join(t.TempDir(), "images"), "0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestStagingLife(t *testing.T) {
	t.Parallel()
	s := newStaging(t)
	parent := filepath.Dir(s.Dir)
	write(t, s.Path("f"), []byte("x"))
	if got := names(t, parent); got != "0123456789abcdef.staging" {
		t.Errorf("staged: %s", got)
	}
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, parent); got != "0123456789abcdef" {
		t.Errorf("published: %s", got)
	}
	if err := s.Abort(); err != nil || names(t, parent) == "" {
		t.Errorf("aborting after publishing took the object away: %v", err)
	}
	again, err := imagemgr.NewStaging(parent, "0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Publish(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("publishing over an object: %v", err)
	}
	if err := again.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := s.Retire(); err != nil {
		t.Fatal(err)
	}
	if swept, err := imagemgr.Sweep(parent); err != nil || len(swept) != 1 || names(t, parent) != "" {
		t.Errorf("swept %v, %v, left %q", swept, err, names(t, parent))
	}
	if err := s.Remove(); err != nil {
		t.Errorf("removing nothing: %v", err)
	}
	if swept, err := imagemgr.Sweep(parent + "/gone"); err != nil || swept != nil {
		t.Errorf("sweeping nothing: %v, %v", swept, err)
	}
}

func TestCloneAndShare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := dir + "/src"
	f, err := os.Create(src)
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 5<<20)
	copy(content[3<<20:], "data in the middle")
	if _, err := f.WriteAt(content[3<<20:3<<20+100], 3<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(5 << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, fn := range map[string]func(string, string) error{"clone": imagemgr.Clone, "share": imagemgr.Share} {
		dst := dir + "/" + name
		if err := fn(src, dst); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(dst)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes differ or %v", name, len(got), err)
		}
		var st unix.Stat_t
		if err := unix.Stat(dst, &st); err != nil || st.Blocks*512 > 1<<20 {
			t.Errorf("%s: holes were filled: %d bytes on disk, %v", name, st.Blocks*512, err)
		}
		if err := fn(src, dst); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s over a file: %v", name, err)
		}
	}
}
