package imagepull_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// pullStream resolves and builds what in gives.
func (r *rig) pullStream(ctx context.Context, t *testing.T, ref string, in io.Reader) (*imagepull.Image, imagepull.Built, error) {
	t.Helper()
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.ResolveStream(ctx, parsed, in, "linux/amd64", r.report)
	if err != nil {
		return nil, imagepull.Built{}, err
	}
	built, err := r.BuildExt4(ctx, img, filepath.Join(r.dir, "rootfs-"+model.NewID()), imagepull.BuildOptions{Stage: func(string) {}}, r.report)
	if closed := img.Close(); closed != nil {
		t.Errorf("closing: %v", closed)
	}
	return img, built, err
}

// ociArchive is a layout with one image, as an archive.
func ociArchive(t *testing.T, more ...string) []byte {
	t.Helper()
	l := newLayout(t)
	l.index(l.json(ociManifest, l.image("amd64")).with("annotations", object{"org.opencontainers.image.ref.name": "v1"}))
	for _, name := range append(more, "oci-layout") {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(packed(t, l.dir))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStreams(t *testing.T) {
	t.Parallel()
	saved := savedImage(t, func(object, object) {})
	// savedImage has short names, which only its kind can tell.
	dockers := dockerSave(t, tagOf(t, "team/app:v1"))
	oci := ociArchive(t)
	both := ociArchive(t, "manifest.json", "repositories")
	root := archive(t, dir("etc"), file("etc/motd", "hello"), file("manifest.json", "[]"), file("index.json", "{}"))
	cases := []struct {
		name string
		ref  string
		in   []byte
		kind string
		code model.Code
		says string
	}{
		{"docker save", "-", dockers, imagepull.KindDockerArchive, "", ""},
		{"docker save, gzip", "-", gzipped(t, dockers), imagepull.KindDockerArchive, "", ""},
		{"docker save, zstd", "-", zstded(t, dockers), imagepull.KindDockerArchive, "", ""},
		{"docker save with a tag", "archive:-:team/app:v1", dockers, imagepull.KindDockerArchive, "", ""},
		{"docker save with another tag", "archive:-:team/app:v2", dockers, "", model.CodeNotFound, "v2"},
		{"docker save by its name", "docker-archive:-", saved, imagepull.KindDockerArchive, "", ""},
		{"layout", "-", oci, imagepull.KindOCIArchive, "", ""},
		{"layout, gzip", "-", gzipped(t, oci), imagepull.KindOCIArchive, "", ""},
		{"layout by its name", "oci-archive:-:v1", oci, imagepull.KindOCIArchive, "", ""},
		{"layout of docker", "-", both, imagepull.KindOCIArchive, "", ""},
		{"root filesystem", "-", root, imagepull.KindTar, "", ""},
		{"root filesystem, gzip", "-", gzipped(t, root), imagepull.KindTar, "", ""},
		{"root filesystem by its name", "tar:-", dockers, imagepull.KindTar, "", ""},
		{"nothing", "-", nil, "", model.CodeInvalid, "standard input is empty"},

		{"cut off", "-", dockers[:len(dockers)/2], "", model.CodeIntegrity, ""},
		{"cut off, gzip", "-", gzipped(t, root)[:40], "", model.CodeIntegrity, ""},
		{"xz", "-", []byte("\xfd7zXZ\x00...."), "", model.CodeUnsupported, "xz"},
		{"not what it is said to be", "oci-archive:-", root, "", model.CodeIntegrity, ""},
		{"not a reference to a stream", "debian:12", root, "", model.CodeInvalid, "standard input"},
		{"a member outside", "-", archive(t, file("../manifest.json", "[]")), "", model.CodeIntegrity, "leaves"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			img, _, err := r.pullStream(context.Background(), t, c.ref, bytes.NewReader(c.in))
			if model.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v (%s), want %q with %q", err, model.CodeOf(err), c.code, c.says)
			}
			if err == nil && (img.Source.Kind != c.kind || img.Source.Reference != c.ref+"@"+img.Key) {
				t.Errorf("source %+v, want kind %s", img.Source, c.kind)
			}
			if left := r.files(t, "ingest"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// dockerSave is an archive for docker load that names one image.
func dockerSave(t *testing.T, tag name.Tag) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tarball.MultiWrite(map[name.Tag]v1.Image{tag: newImage(t, archive(t, file("a", incompressible(5000))))}, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	limits := imagepull.DefaultLimits()
	limits.OutputBytes = 1 << 20
	r := newRig(t, func(c *imagepull.Config) { c.Limits = limits })
	for name, in := range map[string]io.Reader{
		"plain":      bytes.NewReader(make([]byte, 2<<20)),
		"compressed": bytes.NewReader(gzipped(t, append(dockerSave(t, tagOf(t, "a:b")), make([]byte, 2<<20)...))),
	} {
		_, _, err := r.pullStream(context.Background(), t, "docker-archive:-", in)
		if model.CodeOf(err) != model.CodeLimit || !strings.Contains(err.Error(), "image.output_bytes") {
			t.Errorf("%s: %v (%s)", name, err, model.CodeOf(err))
		}
	}
	if left := r.files(t, "ingest"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A call that is canceled does not wait for input that does not come.
func TestCanceledStream(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(context.Background())
	in, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte("some"))
		cancel(errors.New("enough"))
	}()
	_, _, err := newRig(t, nil).pullStream(ctx, t, "-", in)
	if model.CodeOf(err) != model.CodeCanceled || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v (%s)", err, model.CodeOf(err))
	}
	_ = w.CloseWithError(io.ErrUnexpectedEOF) // ends the read that is under way
}

// The same content is the same image, whatever it came in.
func TestStreamKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	saved := dockerSave(t, tagOf(t, "a:b"))
	keys := map[string]bool{}
	for _, in := range [][]byte{saved, gzipped(t, saved), zstded(t, saved)} {
		img, _, err := r.pullStream(context.Background(), t, "-", bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		keys[img.Key] = true
	}
	if len(keys) != 1 {
		t.Errorf("keys %v", keys)
	}
}

func TestResolveRefusesStreams(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"-", "tar:-", "docker-archive:-:a:b"} {
		if _, _, err := newRig(t, nil).pull(context.Background(), t, ref); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: %v (%s)", ref, err, model.CodeOf(err))
		}
	}
}
