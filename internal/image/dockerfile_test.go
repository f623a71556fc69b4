package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/imagetree"
	"banger/internal/model"
	"banger/internal/rpc"
)

// write makes a build context of files.
func writeContext(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read returns a file of an image.
func readFrom(t *testing.T, img model.Image, path string) string {
	t.Helper()
	tree, err := imagetree.Open(img.RootfsPath())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	r, err := tree.FS().OpenFile(path)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const twoStages = `ARG BASE=base
FROM $BASE AS maker
COPY src/ /out/
RUN echo made; test "$WHO" = "" && test "$(id -u)" = "$UID"
FROM $BASE
ARG WHO=nobody
ENV GREETING="hello $WHO"
LABEL a=b
WORKDIR /srv/app
COPY --from=maker /out/a.txt ./
COPY --chown=7:8 --chmod=640 src/*.txt lib/
ADD one /lib/one
USER 65534
EXPOSE 80
CMD ["cat", "a.txt"]
`

func TestBuildDockerfile(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t, member{Header: tar.Header{Name: "usr/lib/", Typeflag: tar.TypeDir, Mode: 0o755}},
		member{Header: tar.Header{Name: "lib", Typeflag: tar.TypeSymlink, Linkname: "usr/lib"}})
	p := rpc.DockerfileBuildParams{Name: "web", Network: model.NetNone, BuildArgs: []string{"WHO=world"}, Context: writeContext(t, map[string]string{
		"Dockerfile": strings.Replace(twoStages, ` && test "$(id -u)" = "$UID"`, "", 1), "src/a.txt": "A", "src/b.txt": "B", "src/c.secret": "C", "one": "1", ".dockerignore": "**/*.secret\n",
	})}
	img, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, path := range []string{"/etc/motd", "/srv/app/a.txt", "/srv/app/lib/b.txt", "/usr/lib/one"} {
		got[path] = readFrom(t, img, path)
	}
	if d := cmp.Diff(map[string]string{"/etc/motd": "hello", "/srv/app/a.txt": "A", "/srv/app/lib/b.txt": "B", "/usr/lib/one": "1"}, got); d != "" {
		t.Error(d)
	}
	c := img.Config
	if c.WorkingDir != "/srv/app" || c.User != "65534" || c.Labels["a"] != "b" || !cmp.Equal(c.Cmd, []string{"cat", "a.txt"}) || c.Env[len(c.Env)-1] != "GREETING=hello world" {
		t.Errorf("configuration %+v", c)
	}
	if r := img.Source.Build; r.Dockerfile != "Dockerfile" || r.Steps != 12 || r.Cached != 0 || r.BaseID != b.base.ID {
		t.Errorf("record %+v", r)
	}
	same, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil || same.ID != img.ID {
		t.Errorf("built again: %s, %v; want the same image", same.ID, err)
	}
	p.Name = "second"
	second, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil || second.Source.Build.Cached != 6 || second.Digest != img.Digest || second.Source.ManifestDigest != img.Source.ManifestDigest {
		t.Errorf("built under another name: %+v, %v", second.Source.Build, err)
	}
	changed(t, b, p)
}

// changed builds with a file that changed: what is after its COPY is run again.
func changed(t *testing.T, b *buildRig, p rpc.DockerfileBuildParams) {
	t.Helper()
	p.Name = "third"
	if err := os.WriteFile(filepath.Join(p.Context, "one"), []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	img, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil || img.Source.Build.Cached != 5 || readFrom(t, img, "/usr/lib/one") != "2" {
		t.Errorf("with a changed file: %+v, %v", img.Source.Build, err)
	}
}

func TestBuildDockerfileFromScratch(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	p := rpc.DockerfileBuildParams{Name: "tiny", Network: model.NetNone, Context: writeContext(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY x /bin/x\nCMD [\"/bin/x\"]\n", "x": "program"})}
	img, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := readFrom(t, img, "/bin/x"); got != "program" || len(img.Source.Layers) != 1 {
		t.Errorf("/bin/x is %q; layers %q", got, img.Source.Layers)
	}
}

// TestBuildDockerfileOfText: the Dockerfile lies nowhere, and what has its name
// in the context is a file like any other.
func TestBuildDockerfileOfText(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	p := rpc.DockerfileBuildParams{
		Name: "tiny", Network: model.NetNone, Dockerfile: "../else/Dockerfile", Text: "FROM scratch\nCOPY . /d/\n",
		Context: writeContext(t, map[string]string{"Dockerfile": "FROM nowhere\n", "x": "program", "y": "left out", ".dockerignore": "y\n"}),
	}
	img, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if x, d := readFrom(t, img, "/d/x"), readFrom(t, img, "/d/Dockerfile"); x != "program" || d != "FROM nowhere\n" {
		t.Errorf("/d/x is %q, /d/Dockerfile %q", x, d)
	}
	if y := readFrom(t, img, "/d/y"); !strings.HasPrefix(y, "(") || img.Source.Build.Dockerfile != p.Dockerfile {
		t.Errorf("/d/y is %q, record %+v", y, img.Source.Build)
	}
}

func TestBuildDockerfileFails(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	triggers := b.base
	triggers.ID, triggers.Name, triggers.Config.OnBuild = model.NewID(), "triggers", []string{"RUN make"}
	b.store.rows = append(b.store.rows, triggers)
	archived := strings.Repeat("x", 257) + "ustar" + strings.Repeat("x", 250)
	for _, tt := range []struct {
		text, want string
		code       model.Code
	}{
		{"FROM base\nENV a=b\nRUN echo seen; exit 3\n", "line 3: RUN echo seen; exit 3 failed with status 3; the end of its log:\nseen", model.CodeFailed},
		{"FROM base\nCOPY missing /\n", "line 2: COPY: source \"missing\" is not", model.CodeNotFound},
		{"FROM base\nCOPY ../../etc/shadow /\n", "is not in the build context", model.CodeNotFound},
		{"FROM base\nCOPY x /etc\nCOPY x /etc/motd/y\n", "/etc/motd is no directory", model.CodeInvalid},
		{"FROM base\nCOPY --chown=who x /\n", "/etc/passwd has no \"who\"", model.CodeNotFound},
		{"FROM base\nCOPY --from=base /none /\n", "/none is not there", model.CodeNotFound},
		{"FROM base\nADD https://x/y /\n", "line 2: ADD of an address", model.CodeUnsupported},
		{"FROM base\nADD t.tgz /\n", "t.tgz is an archive", model.CodeUnsupported},
		{"FROM base\nADD in/t.tar /\n", "t.tar is an archive", model.CodeUnsupported},
		{"FROM triggers\nCOPY x /\n", "line 1: image triggers has ONBUILD instructions, which are not supported: RUN make", model.CodeUnsupported},
		{"FROM base\nHEALTHCHECK NONE\n", "line 2: HEALTHCHECK is not supported", model.CodeUnsupported},
		{"FROM scratch\nCMD x\n", "without files", model.CodeInvalid},
	} {
		p := rpc.DockerfileBuildParams{Name: "web", Network: model.NetNone, Context: writeContext(t, map[string]string{"Dockerfile": tt.text, "x": "y", "t.tgz": "\x1f\x8b...", "in/t.tar": archived})}
		_, err := b.BuildDockerfile(t.Context(), p, model.Discard)
		if model.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v; want %s %q", tt.text, err, tt.code, tt.want)
		}
		if staging, _ := filepath.Glob(filepath.Dir(b.base.Dir) + "/*.staging"); len(staging) > 0 || b.fake.Running() > 0 {
			t.Errorf("%q: %q is left", tt.text, staging)
		}
	}
}

// TestAddDirectory: ADD unpacks nothing of a directory, and what is compressed
// alone is a file like others.
func TestAddDirectory(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	archived := strings.Repeat("x", 257) + "ustar" + strings.Repeat("x", 250)
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, err := z.Write([]byte("words"))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	p := rpc.DockerfileBuildParams{Name: "web", Network: model.NetNone, Context: writeContext(t, map[string]string{
		"Dockerfile": "FROM base\nENV D=/d\nADD [\"in\", \"$D/\"]\nADD z.gz /d/\n", "in/t.tar": archived, "z.gz": gz.String(),
	})}
	img, err := b.BuildDockerfile(t.Context(), p, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if readFrom(t, img, "/d/t.tar") != archived || readFrom(t, img, "/d/z.gz") != gz.String() {
		t.Error("what was added is not there")
	}
}
