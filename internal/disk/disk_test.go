package disk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/internal/vmm"
)

// base makes a raw disk of 4 MiB with data at its ends and a hole between.
func base(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "base")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := bytes.Repeat([]byte("data"), 1024)
	for _, at := range []int64{0, 4<<20 - 4096} {
		if _, err := f.WriteAt(block, at); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func onlyFile(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	var wanted []string
	if want != "" {
		wanted = []string{want}
	}
	if diff := cmp.Diff(wanted, names); diff != "" {
		t.Errorf("files: -want +got\n%s", diff)
	}
}

func TestRawCloneHasTheDataAndTheHole(t *testing.T) {
	t.Parallel()
	from, dir := base(t), t.TempDir()
	got, err := disk.Clone(t.Context(), from, dir, disk.Options{SizeBytes: 6 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if got.Format != vmm.Raw || got.Method == disk.Overlay {
		t.Errorf("%+v", got)
	}
	want := append(read(t, from), make([]byte, 2<<20)...)
	if !bytes.Equal(read(t, got.Path), want) {
		t.Error("the clone differs from its base")
	}
	var st unix.Stat_t
	if err := unix.Stat(got.Path, &st); err != nil || st.Blocks*512 > 1<<20 {
		t.Errorf("the clone takes %d bytes: the hole was filled", st.Blocks*512)
	}
	onlyFile(t, dir, model.RootRawFile)
}

func TestOverlayIsWhatQemuMakesOfIt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	for _, size := range []int64{0, 6 << 20, 3 << 30, 9 << 40} {
		from, dir := base(t), t.TempDir()
		got, err := disk.Clone(t.Context(), from, dir, disk.Options{SizeBytes: size, AllowOverlay: true})
		if err != nil {
			t.Fatal(err)
		}
		if got.Method == disk.Reflink {
			t.Skip("this filesystem has reflinks: no overlay is made")
		}
		onlyFile(t, dir, model.RootQcowFile)
		if out, err := exec.CommandContext(t.Context(), "qemu-img", "check", got.Path).CombinedOutput(); err != nil {
			t.Errorf("size %d: qemu-img check: %v\n%s", size, err, out)
		}
		if size > 1<<30 {
			continue
		}
		raw := filepath.Join(dir, "raw")
		if out, err := exec.CommandContext(t.Context(), "qemu-img", "convert", "-O", "raw", got.Path, raw).CombinedOutput(); err != nil {
			t.Fatalf("qemu-img convert: %v\n%s", err, out)
		}
		want := read(t, from)
		if size != 0 {
			want = append(want, make([]byte, size-int64(len(want)))...)
		}
		if !bytes.Equal(read(t, raw), want) {
			t.Errorf("size %d: the overlay differs from its base", size)
		}
	}
}

func TestCloneRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := disk.Clone(t.Context(), base(t), dir, disk.Options{SizeBytes: 1 << 20}); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("a disk smaller than its base: %v", err)
	}
	if _, err := disk.Clone(t.Context(), "/no/such/base", dir, disk.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no base: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := disk.Clone(ctx, base(t), dir, disk.Options{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	} else if err == nil {
		return // a reflink is done before anybody could cancel it
	}
	onlyFile(t, dir, "")
}

func TestSizeIsRoundedUp(t *testing.T) {
	t.Parallel()
	from := filepath.Join(t.TempDir(), "base")
	if err := os.WriteFile(from, bytes.Repeat([]byte("x"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := disk.Clone(t.Context(), from, t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b := read(t, got.Path); len(b) != 8192 || !bytes.HasPrefix(b, read(t, from)) {
		t.Errorf("%d bytes", len(b))
	}
}

func TestGrow(t *testing.T) {
	t.Parallel()
	for _, overlay := range []bool{false, true} {
		from := base(t)
		got, err := disk.Clone(t.Context(), from, t.TempDir(), disk.Options{AllowOverlay: overlay})
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.Grow(got.Path, got.Format, 3<<30+1); err != nil {
			t.Fatal(err)
		}
		if size := virtualSize(t, got); size != 3<<30+4096 {
			t.Errorf("%s: %d bytes", got.Method, size)
		}
		if size, err := disk.Size(got.Path, got.Format); err != nil || size != 3<<30+4096 {
			t.Errorf("%s: Size: %d, %v", got.Method, size, err)
		}
		if err := disk.Grow(got.Path, got.Format, 4<<20); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: shrinking: %v", got.Method, err)
		}
		if size := virtualSize(t, got); size != 3<<30+4096 {
			t.Errorf("%s: %d bytes after a refusal", got.Method, size)
		}
	}
}

// virtualSize is the size of a disk as QEMU sees it, which also checks it.
func virtualSize(t *testing.T, d disk.Result) int64 {
	t.Helper()
	if d.Format == vmm.Raw {
		st, err := os.Stat(d.Path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), "qemu-img", "check", d.Path).CombinedOutput(); err != nil {
		t.Errorf("qemu-img check: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "qemu-img", "info", "--output=json", d.Path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Size int64 `json:"virtual-size"`
	}
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatal(err)
	}
	return info.Size
}

// TestGrowAfterQemu: an overlay that QEMU has made larger, as it does under a
// running guest, can be grown here afterwards.
func TestGrowAfterQemu(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	got, err := disk.Clone(t.Context(), base(t), t.TempDir(), disk.Options{AllowOverlay: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Method == disk.Reflink {
		t.Skip("this filesystem has reflinks: no overlay is made")
	}
	if out, err := exec.CommandContext(t.Context(), "qemu-img", "resize", got.Path, "5G").CombinedOutput(); err != nil {
		t.Fatalf("qemu-img resize: %v\n%s", err, out)
	}
	if err := disk.Grow(got.Path, got.Format, 9<<30); err != nil {
		t.Fatal(err)
	}
	if size := virtualSize(t, got); size != 9<<30 {
		t.Errorf("%d bytes", size)
	}
}

func TestGrowRefusesForeignFiles(t *testing.T) {
	t.Parallel()
	from := base(t)
	before := read(t, from)
	if err := disk.Grow(from, vmm.Qcow2, 1<<30); model.CodeOf(err) != model.CodeIntegrity {
		t.Errorf("a raw file as qcow2: %v", err)
	}
	if !bytes.Equal(read(t, from), before) {
		t.Error("it was changed")
	}
}
