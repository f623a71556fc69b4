package disk_test

import (
	"bytes"
	"context"
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
