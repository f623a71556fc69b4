package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
)

// TestGuestMountsSamples gives file systems of unusual trees to a guest's
// kernel, which knows ext4 better than e2fsck does: it reads all of them,
// writes to all of them, and must have nothing to say of any.
func TestGuestMountsSamples(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	h := w.home
	args, counts := []string{}, map[string]int{}
	for name, write := range samples() {
		archive := filepath.Join(t.TempDir(), name+".tar")
		counts[name] = writeSample(t, archive, write)
		image, volume := "sample-"+name, "sample-"+name
		h.ok(t, "image", "pull", "tar:"+archive, "--name", image, "--size", "64M")
		h.ok(t, "volume", "create", "--size", "64M", volume)
		t.Cleanup(func() { h.removeVolume(t, volume) })
		copyDisk(t, filepath.Join(h.image(t, image).Dir, model.RootfsFile), h.volumeDisk(t, volume))
		args = append(args, "-v", volume+":/samples/"+name)
	}
	h.vm(t, "mounts", "busybox", args...)
	for name, want := range counts {
		at := "/samples/" + name
		got := h.guest(t, "mounts", fmt.Sprintf("find %s -xdev | wc -l; find %s -xdev -type f -exec cat {} + | wc -c >/dev/null; echo x >%s/new && rm %s/new", at, at, at, at))
		if want++; strings.TrimSpace(got) != fmt.Sprint(want+1) { // and lost+found, and the root itself
			t.Errorf("%s: the guest finds %s names, want %d", name, got, want+1)
		}
	}
	said := h.guest(t, "mounts", "sync; dmesg | grep -c 'EXT4-fs (vd.): mounted'; dmesg | grep EXT4-fs | grep -v ': mounted filesystem\\|: re-mounted\\|resize' || true")
	if lines := strings.SplitN(said, "\n", 2); len(lines) > 1 || lines[0] == "0" {
		t.Errorf("the guest's kernel says:\n%s", said)
	}
	h.ok(t, "stop", "mounts")
	for name := range counts {
		if out, err := exec.CommandContext(boundedContext(t), "e2fsck", "-fn", h.volumeDisk(t, "sample-"+name)).CombinedOutput(); err != nil {
			t.Errorf("%s, after use: %v\n%s", name, err, out)
		}
	}
}

// samples are trees by name: each writes its members.
func samples() map[string]func(add func(tar.Header, string)) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
	return map[string]func(func(tar.Header, string)){
		"crowd": func(add func(tar.Header, string)) { // a directory with an index of two levels
			for i := range 30_000 {
				add(file(fmt.Sprintf("crowd/%s-%d", strings.Repeat("n", i%60), i)), "")
			}
		},
		"links": func(add func(tar.Header, string)) {
			add(file("first"), "shared")
			for i := range 20_000 {
				add(tar.Header{Name: fmt.Sprintf("l%d", i), Typeflag: tar.TypeLink, Linkname: "first"}, "")
			}
		},
		"deep": func(add func(tar.Header, string)) {
			for i := 1; i <= 1020; i++ {
				add(tar.Header{Name: strings.Repeat("d/", i), Typeflag: tar.TypeDir, Mode: 0o755}, "")
			}
			add(file(strings.Repeat("d/", 1020)+"f"), "bottom")
		},
		"odd": func(add func(tar.Header, string)) {
			for i := range 200 {
				h := file(fmt.Sprintf("%d\xff\n%s", i, strings.Repeat("ü", i%100)))
				h.Mode, h.Uid, h.Gid = int64(i*7)&0o7777, i*20_000_003, i*19_999_999
				h.ModTime, h.Format = time.Unix(int64(i)*70_000_000-2_000_000_000, int64(i)), tar.FormatPAX
				h.PAXRecords = map[string]string{"SCHILY.xattr.user.x": strings.Repeat("v", i*17), "SCHILY.xattr.user.y": "y"}
				add(h, strings.Repeat("\x00", i*1000)+"end")
				add(tar.Header{Name: fmt.Sprintf("link%d", i), Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("t", 1+i*20)}, "")
				add(tar.Header{Name: fmt.Sprintf("dev%d", i), Typeflag: tar.TypeChar, Devmajor: int64(i * 20), Devminor: int64(i * 5000)}, "")
				add(tar.Header{Name: fmt.Sprintf("fifo%d", i), Typeflag: tar.TypeFifo}, "")
			}
		},
	}
}

// writeSample writes an archive and returns how many names it has.
func writeSample(t *testing.T, path string, write func(func(tar.Header, string))) int {
	t.Helper()
	var buf bytes.Buffer
	w, names, dirs := tar.NewWriter(&buf), 0, map[string]bool{}
	write(func(h tar.Header, body string) {
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
		names++
		if parent := filepath.Dir(h.Name); h.Typeflag == tar.TypeReg && parent == "crowd" && !dirs[parent] {
			dirs[parent] = true // made because a file is in it
			names++
		}
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return names
}

func copyDisk(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(boundedContext(t), "cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copying a disk: %v\n%s", err, out)
	}
}

func (h *home) image(t *testing.T, name string) (img model.Image) {
	t.Helper()
	if err := json.Unmarshal([]byte(h.ok(t, "image", "show", "--json", name)), &img); err != nil {
		t.Fatal(err)
	}
	return img
}

func (h *home) volumeDisk(t *testing.T, name string) string {
	t.Helper()
	var v model.Volume
	if err := json.Unmarshal([]byte(h.ok(t, "volume", "show", "--json", name)), &v); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(v.Dir, model.VolumeFile)
}
