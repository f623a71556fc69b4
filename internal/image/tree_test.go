package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/internal/rpc"
)

// newRealRig is a service that pulls for real; images of archives are pulled
// under their names.
func newRealRig(t *testing.T, archives map[string]string) *rig {
	t.Helper()
	dir := t.TempDir()
	cache, err := imagepull.OpenCache(dir + "/oci")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *image.Config) {
		c.Puller, c.Cache = imagepull.New(imagepull.Config{Cache: cache}), cache
		c.Registry = &imagepush.Registry{Transport: imagepull.NewTransport()}
	})
	for name, motd := range archives {
		file := dir + "/" + name + ".tar"
		if err := os.WriteFile(file, motdArchive(t, motd), 0o600); err != nil {
			t.Fatal(err)
		}
		r.mustPull(t, "tar:"+file, name)
	}
	return r
}

func (r *rig) mustPull(t *testing.T, ref, name string) model.Image {
	t.Helper()
	img, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: ref, Name: name}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// motdArchive is a root filesystem of one file.
func motdArchive(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "etc/motd", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTreeAndDiff(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, map[string]string{"a": "hello", "b": "howdy"})
	var paths []string
	tree := func(name, path string) error {
		return r.TreeImage(context.Background(), rpc.ImageTreeParams{Name: name, Path: path}, func(e model.TreeEntry) error {
			paths = append(paths, e.Path)
			return nil
		})
	}
	if err := tree("a", "/etc"); err != nil || strings.Join(paths, " ") != "/etc /etc/motd" {
		t.Errorf("%v, %q", err, paths)
	}
	if err := tree("a", "/none"); model.CodeOf(err) != model.CodeNotFound || !strings.Contains(err.Error(), "/none") || model.HintOf(err) == "" {
		t.Errorf("no file: %v", err)
	}
	if err := tree("c", ""); model.CodeOf(err) != model.CodeNotFound || model.HintOf(err) == "" {
		t.Errorf("no image: %v", err)
	}
	var changes []string
	diff := func(from, to string) error {
		return r.DiffImages(context.Background(), rpc.ImageDiffParams{From: from, To: to}, func(c model.TreeChange) error {
			changes = append(changes, c.Path+" "+strings.Join(c.What, " "))
			return nil
		})
	}
	if err := diff("a", "b"); err != nil || strings.Join(changes, ", ") != "/etc/motd content" {
		t.Errorf("%v, %q", err, changes)
	}
	if err := diff("a", "c"); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("no image: %v", err)
	}
}
