package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/ext4"
	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

// TestPullWithRealParts goes from an archive to a filesystem that can be read.
func TestPullWithRealParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "etc/motd", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/root.tar", layer.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cache, err := imagepull.OpenCache(dir + "/oci")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *image.Config) { c.Puller = imagepull.New(imagepull.Config{Cache: cache}) })
	boot := bootSet(t)
	img, err := r.PullImage(context.Background(), rpc.ImagePullParams{
		Ref: "tar:" + dir + "/root.tar", KernelPath: boot.Kernel, InitrdPath: boot.Initrd, ModulesDir: boot.Modules,
	}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if img.Name != "root" || img.SizeBytes != 1<<30 || img.Source.Kind != imagepull.KindTar {
		t.Errorf("image %+v", img)
	}
	f, err := os.Open(filepath.Join(img.Dir, model.RootfsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fs, err := ext4.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	motd, err := fs.OpenFile("/etc/motd")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(motd); err != nil || string(b) != "hello" {
		t.Errorf("motd %q, %v", b, err)
	}
}
