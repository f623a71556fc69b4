package image_test

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/imagetree"
	"banger/internal/model"
	"banger/internal/rpc"
)

// looks describes a path of an image: its mode and owner, whether its time is
// the old one, and the number of its extended attributes.
func looks(t *testing.T, tree *imagetree.Tree, path string, old time.Time) string {
	t.Helper()
	n, err := tree.FS().Lookup(path)
	if err != nil {
		return "none"
	}
	text := fmt.Sprintf("%o %d:%d", n.Mode, n.UID, n.GID)
	if n.MTime.Equal(old) {
		text += " old"
	}
	if attrs, err := n.Xattrs(); err == nil && len(attrs) > 0 {
		text += fmt.Sprint(" ", len(attrs))
	}
	return text
}

const copying = `FROM base AS maker
USER app
WORKDIR /work/dir
USER nobody-here
WORKDIR /rooted
USER 0
FROM base
COPY tree /d
COPY --chown=app one /new/deep/
COPY --chown=9 one /nine
COPY --from=maker /work /d/*.tx? /from/
COPY --from=maker /d/cap* /d/fifo /from/caps/
COPY --from=maker /w*k/* /glob/
`

// TestCopyMetadata: owners, modes and times are those that docker build gives.
func TestCopyMetadata(t *testing.T) {
	t.Parallel()
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	b := newBuildRig(t,
		file("etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:1000:1234::/:/bin/sh\n"),
		member{Header: tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o1777, Uid: 5, ModTime: old}},
		member{Header: tar.Header{Name: "d/sub/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 5, ModTime: old}},
		member{Header: tar.Header{Name: "d/a.txt", Typeflag: tar.TypeReg, Mode: 0o604, Gid: 3, ModTime: old}}, file("d/b.txt", "b"), file("d/c.text", "c"),
		member{Header: tar.Header{Name: "d/fifo", Typeflag: tar.TypeFifo, Mode: 0o600}},
		member{Header: tar.Header{
			Name: "d/capable", Typeflag: tar.TypeReg, Mode: 0o755,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		}})
	dir := writeContext(t, map[string]string{"Dockerfile": copying, "one": "1", "tree/sub/x": "x"})
	for name, mode := range map[string]os.FileMode{"tree/sub/x": 0o755 | os.ModeSetuid, "tree/sub": 0o700, "tree": 0o711} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	img, err := b.BuildDockerfile(t.Context(), rpc.DockerfileBuildParams{Name: "web", Network: model.NetNone, Context: dir}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := imagetree.Open(img.RootfsPath())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	want := map[string]string{
		"/d": "41777 5:0 old", "/d/sub": "40700 0:0 old", "/d/sub/x": "104755 0:0 old",
		"/new": "40755 1000:1234", "/new/deep": "40755 1000:1234", "/new/deep/one": "100644 1000:1234", "/nine": "100644 9:9",
		"/from": "40755 0:0", "/from/dir": "40755 1000:1234", "/from/a.txt": "100604 0:3 old", "/from/b.txt": "100644 0:0", "/from/c.text": "none",
		"/from/caps/capable": "100755 0:0 1", "/from/caps/fifo": "10600 0:0", "/glob": "40755 0:0", "/glob/dir": "none",
	}
	got := map[string]string{}
	for path := range want {
		got[path] = looks(t, tree, path, old)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
