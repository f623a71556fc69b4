package disk_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"banger/internal/disk"
	"banger/internal/model"
)

// QEMU's own tool changes an overlay; what Flatten makes of it must be what
// that tool reads.
func TestFlattenOverlay(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("qemu-io"); err != nil {
		t.Skip("no qemu-io")
	}
	dir := t.TempDir()
	base := filepath.Join(dir, "base")
	if err := os.WriteFile(base, bytes.Repeat([]byte("base"), 1<<18), 0o600); err != nil {
		t.Fatal(err)
	}
	clone, err := disk.Clone(t.Context(), base, dir, disk.Options{SizeBytes: 600 << 20, AllowOverlay: true})
	if err != nil {
		t.Fatal(err)
	}
	if clone.Method != disk.Overlay {
		t.Skip("the filesystem clones by " + clone.Method)
	}
	command(t, "qemu-io", "-f", "qcow2", "-c", "write -P 7 65536 4096", "-c", "write -z 131072 65536", "-c", "write -P 9 599M 1M", clone.Path)
	flat, want := filepath.Join(dir, "flat"), filepath.Join(dir, "want")
	if err := disk.Flatten(t.Context(), clone.Path, clone.Method, base, flat); err != nil {
		t.Fatal(err)
	}
	command(t, "qemu-img", "convert", "-O", "raw", clone.Path, want)
	command(t, "cmp", flat, want)
}

// A guest may write the header of a qcow2 to its raw disk: it is data.
func TestFlattenRawTakesNoHeaderForAFormat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	raw := append([]byte("QFI\xfb\x00\x00\x00\x03"), make([]byte, 8192)...)
	if err := os.WriteFile(dir+"/root", raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := disk.Flatten(t.Context(), dir+"/root", disk.Copy, dir+"/no-base", dir+"/flat"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(dir + "/flat")
	if err != nil || !bytes.HasPrefix(got, raw) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestFlattenRefusesOtherOverlays(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{
		"no qcow2": make([]byte, 4096), "short": []byte("QFI\xfb"),
		"version 2": append([]byte("QFI\xfb\x00\x00\x00\x02"), make([]byte, 4096)...),
	} {
		dir := t.TempDir()
		for file, b := range map[string][]byte{"/o": content, "/base": make([]byte, 4096)} {
			if err := os.WriteFile(dir+file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := disk.Flatten(t.Context(), dir+"/o", disk.Overlay, dir+"/base", dir+"/flat")
		if err == nil || name != "short" && model.CodeOf(err) != model.CodeUnsupported {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir + "/flat"); err == nil {
			t.Errorf("%s: a file is left", name)
		}
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}
