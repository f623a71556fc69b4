package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/registrytest"
)

// member is a file of a test's archive.
type member struct {
	tar.Header
	body string
}

func file(name, body string) member {
	return member{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, body}
}

func (m member) with(change func(*tar.Header)) member {
	change(&m.Header)
	return m
}

func kind(name string, flag byte, link string) member {
	return member{Header: tar.Header{Name: name, Typeflag: flag, Mode: 0o755, Linkname: link}}
}

// pullTree makes an image of members.
func (r *rig) pullTree(t *testing.T, name string, members []member) model.Image {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := m.Header
		h.Size, h.Format = int64(len(m.body)), tar.FormatPAX
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1e9, 5)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/" + name + ".tar"
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return r.mustPull(t, "tar:"+path, name)
}

// same fails unless two images hold the same files with the same times.
func (r *rig) same(t *testing.T, a, b string) {
	t.Helper()
	err := r.DiffImages(context.Background(), rpc.ImageDiffParams{From: a, To: b, Times: true}, func(c model.TreeChange) error {
		if c.Path != "/lost+found" {
			t.Errorf("%s and %s: %s %s %v", a, b, c.Change, model.Printable(c.RawPath()), c.What)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// before is a tree with all that a layer can hold.
func before() []member {
	return []member{
		kind("./", tar.TypeDir, "").with(func(h *tar.Header) { h.Mode = 0o750 }),
		file("bin/su", "su").with(func(h *tar.Header) {
			h.Mode, h.Uid, h.Gid = 0o4755, 4000000000, 7
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.a": "1\x00\xff"}
		}),
		file("data/big", strings.Repeat("0123456789", 100_000)),
		kind("dev/null", tar.TypeChar, "").with(func(h *tar.Header) { h.Devmajor, h.Devminor = 1, 3 }),
		file("etc/a", "a"), kind("etc/b", tar.TypeLink, "etc/a"), kind("etc/c", tar.TypeLink, "etc/a"),
		file("etc/\xff\n", "odd"),
		file("gone/deep/er", "x"), file("gone/z", "x"),
		kind("link", tar.TypeSymlink, "../\xfe"),
		kind("pipe", tar.TypeFifo, ""),
		file("same", "1"), file("type/file", "x"),
		kind("var/cache", tar.TypeDir, "").with(func(h *tar.Header) { h.Mode, h.Uid = 0o1777, 3 }),
		file("var/cache/x", "x"),
	}
}

// after is before with a change of every kind.
func after() []member {
	return []member{
		kind("./", tar.TypeDir, "").with(func(h *tar.Header) { h.Mode = 0o755 }),
		file("bin/su", "su").with(func(h *tar.Header) {
			h.Mode, h.Uid, h.Gid = 0o755, 4000000000, 7
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.b": "2"}
		}),
		file("data/big", strings.Repeat("0123456789", 100_000)),
		kind("dev/null", tar.TypeChar, "").with(func(h *tar.Header) { h.Devmajor, h.Devminor = 1, 5 }),
		file("etc/a", "a"), kind("etc/b", tar.TypeLink, "etc/a"), file("etc/c", "a"), kind("etc/d", tar.TypeLink, "etc/c"),
		kind("link", tar.TypeSymlink, "other"),
		kind("pipe", tar.TypeFifo, ""),
		file("new/deep/er", "x"),
		file("same", "2").with(func(h *tar.Header) { h.ModTime = time.Unix(2e9, 0) }),
		file("type", "now a file"),
		kind("var/cache", tar.TypeDir, "").with(func(h *tar.Header) { h.Mode, h.Uid = 0o1777, 3 }),
	}
}

func TestPushedImageIsPulledBackEqual(t *testing.T) {
	t.Parallel()
	r, host := newRealRig(t, nil), registrytest.New(t).Host
	r.pullTree(t, "one", before())
	ref := host + "/team/one:v1"
	pushed, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "one", Ref: ref}, model.Discard)
	if err != nil || len(pushed.Layers) != 1 || pushed.Layers[0].Original {
		t.Fatalf("%+v, %v", pushed, err)
	}
	back := r.mustPull(t, ref, "back")
	r.same(t, "one", "back")
	if back.Source.ManifestDigest != pushed.Digest || pushed.Ref != host+"/team/one@"+pushed.Digest {
		t.Errorf("pulled %s, pushed %+v", back.Source.ManifestDigest, pushed)
	}
	again, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "back", Ref: host + "/team/two:v1"}, model.Discard)
	if err != nil || again.Digest != pushed.Digest || !again.Layers[0].Original {
		t.Errorf("the layers that were pulled: %+v, %v", again, err)
	}
	if _, err := r.PruneImageCache(context.Background(), rpc.ImageCachePruneParams{}); err != nil {
		t.Fatal(err)
	}
	made, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "back", Ref: host + "/team/three:v1"}, model.Discard)
	if err != nil || made.Digest != pushed.Digest {
		t.Errorf("without the cache: %+v, %v", made, err)
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, map[string]string{"a": "hello"})
	for ref, code := range map[string]model.Code{
		"127.0.0.1:1/x:y": model.CodeUnreachable, "UPPER:x": model.CodeInvalid, "registry.invalid/x@sha256:" + strings.Repeat("0", 64): model.CodeInvalid,
	} {
		_, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "a", Ref: ref}, model.Discard)
		if model.CodeOf(err) != code {
			t.Errorf("%s: %v (%s)", ref, err, model.CodeOf(err))
		}
	}
}

func TestExportsArePulledBackEqual(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, nil)
	r.pullTree(t, "one", before())
	for format, scheme := range map[string]string{"tar": "tar", "oci": "oci-archive", "docker": "docker-archive"} {
		var archive, again bytes.Buffer
		params := rpc.ImageExportParams{Name: "one", Format: format}
		if err := r.ExportImage(context.Background(), params, &archive); err != nil {
			t.Fatal(err)
		}
		if err := r.ExportImage(context.Background(), params, &again); err != nil || !bytes.Equal(archive.Bytes(), again.Bytes()) {
			t.Errorf("%s: two exports differ (%v)", format, err)
		}
		path := t.TempDir() + "/" + format
		if err := os.WriteFile(path, archive.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		r.mustPull(t, scheme+":"+path, format)
		r.same(t, "one", format)
	}
	if err := r.ExportImage(context.Background(), rpc.ImageExportParams{Name: "one", Format: "zip"}, io.Discard); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("format zip: %v", err)
	}
}

// based returns a rig with the image "base", pulled from a registry, and the
// image "changed", whose root filesystem stands for the disk of a VM of base.
func based(t *testing.T) (r *rig, host string, base, changed model.Image) {
	t.Helper()
	r, host = newRealRig(t, nil), registrytest.New(t).Host
	r.pullTree(t, "seed", before())
	if _, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "seed", Ref: host + "/base:1"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	return r, host, r.mustPull(t, host+"/base:1", "base"), r.pullTree(t, "changed", after())
}

// commitOf commits the root filesystem of an image.
func (r *rig) commitOf(t *testing.T, base, disk model.Image, to string) (model.Image, error) {
	t.Helper()
	vm := model.VM{Name: "web", ImageID: base.ID, StoppedAt: time.Unix(1.5e9, 0)}
	flatten := func(_ context.Context, dst string) error { return imagemgr.Clone(disk.RootfsPath(), dst) }
	return r.CommitDisk(context.Background(), vm, to, flatten, model.Discard)
}

func TestCommitAddsOneLayer(t *testing.T) {
	t.Parallel()
	r, host, base, changed := based(t)
	img, err := r.commitOf(t, base, changed, "committed")
	if err != nil {
		t.Fatal(err)
	}
	r.same(t, "changed", "committed")
	if n := len(base.Source.Layers); len(img.Source.Layers) != n+1 || !cmp.Equal(img.Source.Layers[:n], base.Source.Layers) || !img.Managed {
		t.Errorf("layers %v above %v", img.Source.Layers, base.Source.Layers)
	}
	pushed, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "committed", Ref: host + "/base:2"}, model.Discard)
	if err != nil || len(pushed.Layers) != 2 || pushed.Layers[1].SizeBytes > 4096 {
		t.Fatalf("%+v, %v", pushed, err)
	}
	r.mustPull(t, host+"/base:2", "back")
	r.same(t, "changed", "back")
	twice, err := r.commitOf(t, base, changed, host+"/other:3")
	if err != nil || twice.Name != "other-3" || twice.Source.ManifestDigest != img.Source.ManifestDigest {
		t.Errorf("a second commit of one disk: %s %s, want %s; %v", twice.Name, twice.Source.ManifestDigest, img.Source.ManifestDigest, err)
	}
	if _, err := r.commitOf(t, base, changed, "committed"); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("the name is taken: %v", err)
	}
}

// Without the layers below, one of the base's files stands for them, and
// always the same one.
func TestCommitWithoutCache(t *testing.T) {
	t.Parallel()
	r, host, base, changed := based(t)
	if _, err := r.PruneImageCache(context.Background(), rpc.ImageCachePruneParams{}); err != nil {
		t.Fatal(err)
	}
	img, err := r.commitOf(t, base, changed, "committed")
	if err != nil || len(img.Source.Layers) != 2 || len(img.Source.History) != 2 || img.Source.History[1].SizeBytes > 4096 {
		t.Fatalf("%v, %+v, %v", img.Source.Layers, img.Source.History, err)
	}
	if err := os.RemoveAll(r.cfg.Steps); err != nil { // it remembers the base's layer
		t.Fatal(err)
	}
	again, err := r.commitOf(t, base, changed, "again")
	if err != nil || again.Source.ManifestDigest != img.Source.ManifestDigest {
		t.Errorf("the second one is %s, the first %s; %v", again.Source.ManifestDigest, img.Source.ManifestDigest, err)
	}
	if _, err := r.PushImage(context.Background(), rpc.ImagePushParams{Name: "committed", Ref: host + "/base:2"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	r.mustPull(t, host+"/base:2", "back")
	r.same(t, "changed", "back")
}
