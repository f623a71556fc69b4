// Package initramfs writes the initial file systems of guests that tests boot
// by hand.
package initramfs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"

	"banger/internal/kernelcat/kmod"
	"banger/internal/model"
)

// kernelEnv names the directory of a kernel as banger keeps it, with vmlinux
// and modules/; scripts/test-guests.sh sets it.
const kernelEnv = "BANGER_TEST_KERNEL"

// Kernel returns the directory of the kernel for the tests' guests, or skips
// the test.
func Kernel(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(kernelEnv)
	if dir == "" {
		t.Skip(kernelEnv + " names no directory of a kernel: scripts/test-guests.sh")
	}
	return dir
}

// File is a member of an initramfs; Mode has its type.
type File struct {
	Name string
	Mode cpio.FileMode
	Body []byte
}

// Dir is an empty directory.
func Dir(name string) File { return File{Name: name, Mode: cpio.TypeDir | 0o755} }

// Program is what the file at path holds, to be run.
func Program(t testing.TB, name, path string) File {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return File{name, cpio.TypeReg | 0o755, body}
}

// Modules are the modules of names and what each needs, out of the kernel's
// directory, below modules/, and /modules.list with their paths in the order
// in which they load.
func Modules(t testing.TB, kernelDir string, names ...string) []File {
	t.Helper()
	tree, err := kmod.OpenTree(filepath.Join(kernelDir, model.ModulesDir))
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	plan, err := tree.Plan(names)
	if err != nil || len(plan.Missing) > 0 {
		t.Fatalf("modules: %v, missing %v", err, plan.Missing)
	}
	files, list := []File{Dir("modules")}, ""
	for _, m := range plan.Load {
		body, err := tree.Read(m.Path)
		if err != nil {
			t.Fatal(err)
		}
		name := "modules/" + m.Name + ".ko"
		files = append(files, File{name, cpio.TypeReg | 0o644, body})
		list += "/" + name + "\n"
	}
	return append(files, File{"modules.list", cpio.TypeReg | 0o644, []byte(list)})
}

// pageSize: microvm's ACPI tables lie in the page behind whole pages.
const pageSize = 4096

// Write writes files into an initramfs at path.
func Write(t testing.TB, path string, files ...File) {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&cpio.Header{Name: f.Name, Mode: f.Mode, Size: int64(len(f.Body)), Links: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64((b.Len()+pageSize-1)/pageSize*pageSize)); err != nil {
		t.Fatal(err)
	}
}
