package imagepull_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"banger/internal/imagemgr"
	"banger/internal/imagepull"
	"banger/internal/model"
)

// buildLayout builds the image of a layout of plain layers.
func buildLayout(t *testing.T, size int64, layers ...[]byte) (string, imagepull.Built, error) {
	t.Helper()
	l := newLayout(t)
	var descriptors []any
	for _, b := range layers {
		descriptors = append(descriptors, l.blob(ociLayer, b))
	}
	l.index(l.json(ociManifest, object{"schemaVersion": 2, "config": l.json(ociConfig, l.config("amd64", layers...)), "layers": descriptors}))
	ref, err := imagepull.ParseRef("oci:" + l.dir)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	img, err := r.Resolve(context.Background(), ref, "linux/amd64", r.report)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, "rootfs.ext4")
	built, err := r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{SizeBytes: size, Stage: func(string) {}}, r.report)
	return path, built, err
}

func TestSize(t *testing.T) {
	t.Parallel()
	layer := archive(t, file("a", incompressible(10<<20)))
	cases := []struct{ size, want int64 }{{0, 1 << 30}, {3 << 30, 3 << 30}, {64<<20 + 17, 64 << 20}}
	for _, c := range cases {
		path, built, err := buildLayout(t, c.size, layer)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() != c.want || built.SizeBytes != c.want {
			t.Errorf("size %d: file %d, built %d, want %d, %v", c.size, info.Size(), built.SizeBytes, c.want, err)
		}
		if digest, err := imagemgr.RootfsDigest(t.Context(), path); err != nil || digest != built.Digest {
			t.Errorf("size %d: digest %s, built %s, %v", c.size, digest, built.Digest, err)
		}
		if built.UsedBytes < 10<<20 || built.UsedBytes > 40<<20 {
			t.Errorf("size %d: %d bytes used on disk", c.size, built.UsedBytes)
		}
	}
	_, _, err := buildLayout(t, 1<<20, layer)
	if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(model.HintOf(err), "--size") {
		t.Errorf("too small: %v (%s, hint %q)", err, model.CodeOf(err), model.HintOf(err))
	}
}

// The same layer gives the same bytes; more layers, which are unpacked side by
// side, the same tree.
func TestSameInputSameImage(t *testing.T) {
	t.Parallel()
	lower := archive(t, dir("d"), file("d/a", incompressible(300_000)), file("b", "1"), hardlink("c", "b"))
	upper := archive(t, gone(".wh.b"), file("e", incompressible(5000)))
	read := func(layers ...[]byte) []byte {
		t.Helper()
		path, _, err := buildLayout(t, 32<<20, layers...)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read(lower), read(lower)) {
		t.Error("one layer gives two images")
	}
	one, _, err := buildLayout(t, 0, lower, upper)
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := buildLayout(t, 0, lower, upper)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listExt4(t, one), listExt4(t, two)); diff != "" {
		t.Error(diff)
	}
}

// smallDisk returns a directory that takes 4 MiB. What was removed from it may
// hold its space for a moment: programs that other tests are about to start
// have inherited the files until they are.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no right to mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref, err := imagepull.ParseRef(reg.push(t, archive(t, file("a", incompressible(8<<20)))))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	img, err := r.Resolve(context.Background(), ref, "linux/amd64", r.report)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(smallDisk(t), "rootfs.ext4")
	if _, err := r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{Stage: func(string) {}}, r.report); model.CodeOf(err) != model.CodeNoSpace {
		t.Errorf("image on a full disk: %v (%s)", err, model.CodeOf(err))
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a part was left")
	}
	onSmall := &rig{Puller: newRigOn(t, smallDisk(t)), dir: t.TempDir()}
	if _, _, err := onSmall.pull(context.Background(), t, ref.String()); model.CodeOf(err) != model.CodeNoSpace {
		t.Errorf("cache on a full disk: %v (%s)", err, model.CodeOf(err))
	}
}
