package imagepull_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// packed writes the files below dir into an archive.
func packed(t *testing.T, dir string) string {
	t.Helper()
	var members []member
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		members = append(members, file(path, string(b)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "image.tar", archive(t, members...))
}

func writeFile(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOCIArchive(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	l.index(l.json(ociManifest, l.image("amd64")).with("annotations", object{"org.opencontainers.image.ref.name": "v1"}))
	good := packed(t, l.dir)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		ref  string
		code model.Code
		says string
	}{
		{"the only image", good, "", ""},
		{"a tag", good + ":v1", "", ""},
		{"another tag", good + ":v2", model.CodeNotFound, "v2"},
		{"compressed", writeFile(t, "x.tar.gz", gzipped(t, whole)), "", ""},
		{"compressed and cut off", writeFile(t, "x.tar.gz", gzipped(t, whole)[:900]), model.CodeIntegrity, "decompressing"},
		{"compressed by another program", writeFile(t, "x.tar.xz", []byte("\xfd7zXZ\x00....")), model.CodeUnsupported, "xz"},
		{"cut off", writeFile(t, "x.tar", whole[:len(whole)/2]), model.CodeIntegrity, ""},
		{"another layer", writeFile(t, "x.tar", bytes.Replace(whole, []byte("amd64\x00\x00"), []byte("AMD64\x00\x00"), 1)), model.CodeIntegrity, ""},
		{"no index", writeFile(t, "x.tar", archive(t, file("a", "1"))), model.CodeNotFound, "index.json"},
		{"a member outside", writeFile(t, "x.tar", archive(t, file("../index.json", "{}"))), model.CodeIntegrity, "leaves"},
		{"a link outside", writeFile(t, "x.tar", archive(t, symlink("index.json", "/etc/passwd"))), model.CodeIntegrity, "leaves"},
		{"a relative link outside", writeFile(t, "x.tar", archive(t, symlink("index.json", "../../../etc/passwd"))), model.CodeNotFound, ""},
		{"a loop", writeFile(t, "x.tar", archive(t, symlink("index.json", "b"), symlink("b", "index.json"))), model.CodeNotFound, ""},
		{"no file", good + ".gone", model.CodeNotFound, "does not exist"},
		{"a directory", l.dir, model.CodeInvalid, "regular"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			img, _, err := newRig(t, nil).pull(context.Background(), t, "oci-archive:"+c.ref)
			if model.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v (%s), want %q with %q", err, model.CodeOf(err), c.code, c.says)
			}
			if err == nil && img.Source.Kind != imagepull.KindOCIArchive {
				t.Errorf("kind %q", img.Source.Kind)
			}
		})
	}
}

// What other tools write must be read.
func TestDockerArchive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "saved.tar")
	if err := tarball.MultiWriteToFile(path, map[name.Tag]v1.Image{
		tagOf(t, "team/app:v1"):                newImage(t, archive(t, file("a", "1")), archive(t, file("b", "2"))),
		tagOf(t, "registry.example/db:latest"): newImage(t, archive(t, file("c", "3"))),
	}); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		tag    string
		layers int
		code   model.Code
	}{
		{":team/app:v1", 2, ""},
		{":v1", 2, ""},
		{":registry.example/db", 1, ""},
		{":latest", 1, ""},
		{"", 0, model.CodeInvalid},
		{":v9", 0, model.CodeNotFound},
	}
	for _, c := range cases {
		_, built, err := newRig(t, nil).pull(context.Background(), t, "docker-archive:"+path+c.tag)
		if model.CodeOf(err) != c.code || len(built.Layers) != c.layers {
			t.Errorf("%q: %v (%s), layers %v", c.tag, err, model.CodeOf(err), built.Layers)
		}
		if c.code != "" && model.HintOf(err) == "" {
			t.Errorf("%q: no hint with %v", c.tag, err)
		}
	}
}

func tagOf(t *testing.T, s string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(s)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// savedImage is a Docker archive of one layer that can be wrong.
func savedImage(t *testing.T, change func(manifest, config object), more ...member) []byte {
	t.Helper()
	layer := archive(t, file("a", "1"))
	manifest := object{"Config": "config.json", "RepoTags": []string{"app:v1"}, "Layers": []string{"1/layer.tar"}}
	config := object{"os": "linux", "architecture": "amd64",
		"rootfs": object{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}}}
	change(manifest, config)
	members := []member{file("config.json", string(marshal(t, config))), file("0/layer.tar", string(layer)),
		symlink("1/layer.tar", "../0/layer.tar"), file("manifest.json", string(marshal(t, []object{manifest})))}
	return archive(t, append(members, more...)...)
}

func TestHostileDockerArchives(t *testing.T) {
	t.Parallel()
	unchanged := func(object, object) {}
	set := func(key string, value any) func(object, object) {
		return func(manifest, _ object) { manifest[key] = value }
	}
	cases := []struct {
		name string
		file []byte
		code model.Code
		says string
	}{
		{"a layer that is a link", savedImage(t, unchanged), "", ""},
		{"53 no layers", savedImage(t, set("Layers", []string{})), model.CodeIntegrity, "no layers"},
		{"53 count of layers", savedImage(t, set("Layers", []string{"0/layer.tar", "0/layer.tar"})), model.CodeIntegrity, "2 layers"},
		{"53 too many layers", savedImage(t, set("Layers", make([]string, 513))), model.CodeLimit, "layers"},
		{"a layer that is not there", savedImage(t, set("Layers", []string{"2/layer.tar"})), model.CodeNotFound, "2/layer.tar"},
		{"a configuration of the host", savedImage(t, set("Config", "../../../../etc/passwd")), model.CodeNotFound, ""},
		{"a configuration at an absolute path", savedImage(t, set("Config", "/etc/passwd")), model.CodeNotFound, ""},
		{"44 other diff_id", savedImage(t, func(_, c object) {
			c["rootfs"] = object{"type": "layers", "diff_ids": []string{"sha256:" + strings.Repeat("0", 64)}}
		}), model.CodeIntegrity, "diff_id"},
		{"54 for another system", savedImage(t, func(_, c object) { c["os"] = "windows" }), model.CodeUnsupported, "windows"},
		{"52 other CPU", savedImage(t, func(_, c object) { c["architecture"] = "riscv64" }), model.CodeNotFound, "riscv64"},
		{"51 huge manifest", savedImage(t, unchanged, file("manifest.json", strings.Repeat(" ", 4<<20+1))), model.CodeLimit, "manifest_bytes"},
		{"55 a name twice", savedImage(t, unchanged, file("manifest.json", `[{"Config":"a","config":"b"}]`)), model.CodeIntegrity, "twice"},
		{"no images", savedImage(t, unchanged, file("manifest.json", `[]`)), model.CodeInvalid, "0 images"},
		{"a file of negative size", archive(t, member{raw: rawHeader("manifest.json", tar.TypeReg, map[int]string{124: "-0000000001\x00"})}), model.CodeIntegrity, ""},
		{"too many files", archive(t, manyFiles(1<<14+1)...), model.CodeLimit, "too many files"},
		{"empty", nil, model.CodeNotFound, "manifest.json"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := newRig(t, nil).pull(context.Background(), t, "docker-archive:"+writeFile(t, "saved.tar", c.file))
			if model.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v (%s), want %q with %q", err, model.CodeOf(err), c.code, c.says)
			}
		})
	}
}

func manyFiles(n int) []member {
	var members []member
	for i := range n {
		members = append(members, file(fmt.Sprint(i), ""))
	}
	return members
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(root, name) }
	must(os.Chmod(root, 0o755))
	must(os.MkdirAll(in("bin/deep"), 0o755))
	must(os.WriteFile(in("bin/tool"), []byte("tool"), 0o644))
	must(os.Chmod(in("bin/tool"), 0o755|fs.ModeSetuid))
	must(os.Link(in("bin/tool"), in("bin/other")))
	must(os.Symlink("/etc/passwd", in("outside")))
	must(os.WriteFile(in(".wh.kept"), nil, 0o644))
	must(unix.Mkfifo(in("fifo"), 0o600))
	if err := unix.Setxattr(in("bin/tool"), "user.note", []byte("a\x00b"), 0); err != nil {
		t.Skipf("no extended attributes in temporary directories: %v", err)
	}
	socket, err := net.Listen("unix", in("socket"))
	must(err)
	defer socket.Close()
	must(os.Chown(in("bin/deep"), os.Getuid(), os.Getgid()))

	r := newRig(t, nil)
	ref, err := imagepull.ParseRef("dir:" + root)
	must(err)
	img, err := r.Resolve(context.Background(), ref, "", r.report)
	must(err)
	again, err := r.Resolve(context.Background(), ref, "", r.report)
	must(err)
	if img.Key != again.Key || img.Source.Kind != imagepull.KindDir || !strings.Contains(strings.Join(r.notes, "\n"), "sockets") {
		t.Errorf("keys %s and %s, source %+v, notes %q", img.Key, again.Key, img.Source, r.notes)
	}
	path := filepath.Join(r.dir, "rootfs.ext4")
	_, err = r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{Stage: func(string) {}}, r.report)
	must(err)
	want := listDir(t, root)
	delete(want, "/socket")
	delete(want, "/.wh.kept") // means what it means in a layer
	for _, name := range []string{"/bin/tool", "/bin/other"} {
		f := want[name]
		f.Xattrs = `user.note="a\x00b" `
		want[name] = f
	}
	if diff := cmp.Diff(want, listExt4(t, path)); diff != "" {
		t.Error(diff)
	}

	must(os.WriteFile(in("bin/more"), []byte("1"), 0o644))
	_, err = r.BuildExt4(context.Background(), img, path+"2", imagepull.BuildOptions{Stage: func(string) {}}, r.report)
	if model.CodeOf(err) != model.CodeIntegrity {
		t.Errorf("a tree that changed: %v (%s)", err, model.CodeOf(err))
	}
}

func TestDirectoryThatIsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, _, err := r.pull(context.Background(), t, "dir:"+r.dir+"/gone"); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("no directory: %v (%s)", err, model.CodeOf(err))
	}
	if _, _, err := r.pull(context.Background(), t, "dir:"+writeFile(t, "a", nil)); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("a file: %v (%s)", err, model.CodeOf(err))
	}
}
