package disk_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/test/ownmounts"
)

// TestCloneMethods: each filesystem gets the best clone that it can have.
func TestCloneMethods(t *testing.T) {
	if !ownmounts.Run(t) {
		return
	}
	for _, fs := range []struct{ name, mkfs, want string }{
		{"btrfs", "mkfs.btrfs -q", disk.Reflink}, {"xfs", "mkfs.xfs -q", disk.Reflink}, {"ext4", "mke2fs -q -t ext4", disk.Overlay},
	} {
		t.Run(fs.name, func(t *testing.T) {
			at := mountNew(t, fs.name, fs.mkfs)
			from := filepath.Join(at, "base")
			if err := os.WriteFile(from, bytes.Repeat([]byte("data"), 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			before := freeBytes(t, at)
			got, err := disk.Clone(t.Context(), from, at, disk.Options{AllowOverlay: true, SizeBytes: 64 << 20})
			if err != nil || got.Method != fs.want {
				t.Fatalf("%+v, %v; want %s", got, err, fs.want)
			}
			if used := before - freeBytes(t, at); used > 1<<20 {
				t.Errorf("the clone of 4 MiB takes %d bytes", used)
			}
			if fs.want == disk.Reflink {
				want := append(read(t, from), make([]byte, 60<<20)...)
				if !bytes.Equal(read(t, got.Path), want) {
					t.Error("the clone differs from its base")
				}
			}
			plain, err := disk.Clone(t.Context(), from, t.TempDir(), disk.Options{}) // to another filesystem
			if err != nil || plain.Method != disk.Copy {
				t.Errorf("to another filesystem: %+v, %v; want %s", plain, err, disk.Copy)
			}
		})
	}
}

// mountNew mounts a new filesystem and returns where.
func mountNew(t *testing.T, name, mkfs string) string {
	t.Helper()
	argv := strings.Fields(mkfs)
	for _, tool := range []string{argv[0], "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	image, at := filepath.Join(t.TempDir(), name), t.TempDir()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 512<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), argv[0], append(argv[1:], image)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", mkfs, err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		t.Skipf("cannot mount %s: %v %s", name, err, out)
	}
	t.Cleanup(func() { unmount(t, at) })
	return at
}

func unmount(t *testing.T, at string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if out, err := exec.CommandContext(ctx, "umount", at).CombinedOutput(); err != nil {
		t.Errorf("umount: %v\n%s", err, out)
	}
}

func freeBytes(t *testing.T, at string) int64 {
	t.Helper()
	unix.Sync()
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bfree) * st.Bsize
}

// TestFullFilesystem: nothing is left of what does not fit, and the error says
// what to do.
func TestFullFilesystem(t *testing.T) {
	if !ownmounts.Run(t) {
		return
	}
	from, at := filepath.Join(t.TempDir(), "base"), t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unmount(t, at) })
	if err := os.WriteFile(from, bytes.Repeat([]byte("data"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"a copy": func() error {
			_, err := disk.Clone(t.Context(), from, at, disk.Options{})
			return err
		},
		"a filesystem": func() error {
			return disk.MakeExt4(t.Context(), filepath.Join(at, "disk"), disk.Ext4Options{SizeBytes: 1 << 30})
		},
	} {
		if err := do(); model.CodeOf(err) != model.CodeNoSpace || model.HintOf(err) == "" {
			t.Errorf("%s: %s %v", what, model.CodeOf(err), err)
		}
		onlyFile(t, at, "")
	}
	if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	err := disk.MakeExt4(t.Context(), filepath.Join(at, "disk"), disk.Ext4Options{SizeBytes: 1 << 30})
	if err == nil || !strings.Contains(fmt.Sprint(err), "read-only") {
		t.Errorf("on a filesystem that is read-only: %v", err)
	}
}
