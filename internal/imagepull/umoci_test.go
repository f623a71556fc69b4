package imagepull_test

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/imagepull"
)

// TestSameTreeAsUmoci unpacks one image of several layers with umoci and with
// BuildExt4 and compares the trees: path, type, mode, owner, size, time, links,
// attributes and content.
func TestSameTreeAsUmoci(t *testing.T) {
	t.Parallel()
	umoci := needs(t, "umoci")
	if os.Geteuid() != 0 {
		t.Skip("no root: umoci cannot set owners")
	}
	dir := t.TempDir()
	p, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AppendImage(trapImage(t), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "bundle")
	if out, err := exec.Command(umoci, "unpack", "--image", filepath.Join(dir, "layout")+":v1", bundle).CombinedOutput(); err != nil {
		t.Fatalf("umoci: %v\n%s", err, out)
	}
	ref, err := imagepull.ParseRef("oci:" + filepath.Join(dir, "layout") + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	img, err := r.Resolve(context.Background(), ref, "linux/amd64", r.report)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rootfs.ext4")
	if _, err := r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{Stage: func(string) {}}, r.report); err != nil {
		t.Fatal(err)
	}
	want, got := listDir(t, filepath.Join(bundle, "rootfs")), listExt4(t, path)
	if len(want) < 100 {
		t.Errorf("umoci made %d files only", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-umoci +banger)\n%s", diff)
	}
	if fsck, err := exec.LookPath("e2fsck"); err == nil {
		if out, err := exec.Command(fsck, "-fn", path).CombinedOutput(); err != nil {
			t.Errorf("e2fsck: %v\n%s", err, out)
		}
	}
}

// trapImage is an image of real files and of what layers are known to be
// read wrongly for.
func trapImage(t *testing.T) v1.Image {
	t.Helper()
	zones, err := exec.Command("tar", "-C", "/", "-c", "usr/share/zoneinfo", "usr/share/perl5").Output()
	if err != nil {
		t.Skipf("no tar of /usr/share/zoneinfo and /usr/share/perl5: %v", err)
	}
	dated := func(m member, when time.Time) member {
		return m.with(func(h *tar.Header) { h.ModTime, h.Format = when, tar.FormatPAX })
	}
	owned := file("opt/owned", "o").with(func(h *tar.Header) { h.Uid, h.Gid, h.Mode = 4_000_000_000, 3_999_999_999, 0o6755 })
	return newImage(t, zones,
		archive(t, dir("."), dir("usr"), dir("usr/share"), dir("opt"), owned, file("opt/a", "1"), hardlink("opt/b", "opt/a"), hardlink("opt/c", "opt/a"),
			dir("opt/old"), file("opt/old/x", "1"), dir("opt/gone"), file("opt/gone/x", "1"), dir("opt/many"), file("opt/many/1", "1"),
			dated(file("opt/early", ""), time.Unix(-1_000_000_000, 250_000_000)), dated(dir("opt/dir"), time.Unix(1000, 5)),
			symlink("opt/link", "old"), symlink("lib", "usr/lib"), dir("usr/lib"), symlink("opt/long", strings.Repeat("d/", 1500)),
			device("opt/null", tar.TypeChar, 1, 3), device("opt/blk", tar.TypeBlock, 300, 70000), device("opt/fifo", tar.TypeFifo, 0, 0),
			xattr(file("opt/ping", "p"), map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}),
			dir("opt/sticky").with(func(h *tar.Header) { h.Mode = 0o3777 }), file("opt/lat\xe9in", "l"), file("opt/new\nline", "n")),
		archive(t, gone("opt/.wh.a"), gone("opt/.wh.gone"), dir("opt/old"), gone("opt/old/.wh..wh..opq"), file("opt/old/y", "2"),
			file("lib/through", "t"), file("opt/many", "a file now"), gone("usr/share/zoneinfo/.wh.Europe")),
		archive(t, dir("opt/gone"), file("opt/gone/new", "3"), symlink("opt/old", "gone"), file("opt/old/z", "4"), file("opt/dir/late", "5")),
	)
}

// fact is all that is compared of one name.
type fact struct {
	Mode, UID, GID, Major, Minor uint32
	Size                         int64
	MTime                        time.Time
	Link, Sum, Xattrs            string
	Inode                        string // the first name of the file
}

func listDir(t *testing.T, root string) map[string]fact {
	t.Helper()
	facts, first := map[string]fact{}, map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		f := fact{Mode: st.Mode, UID: st.Uid, GID: st.Gid, MTime: time.Unix(st.Mtim.Unix()).UTC()}
		if first[st.Ino] == "" {
			first[st.Ino] = name
		}
		f.Inode = first[st.Ino]
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f.Size, f.Sum = st.Size, fmt.Sprintf("%x", sha256.Sum256(content))
		case unix.S_IFLNK:
			f.Link, err = os.Readlink(path)
		case unix.S_IFCHR, unix.S_IFBLK:
			f.Major, f.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
		}
		buf := make([]byte, 100)
		if n, err := unix.Lgetxattr(path, "security.capability", buf); err == nil {
			f.Xattrs = fmt.Sprintf("security.capability=%q ", buf[:n])
		}
		facts[name] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func listExt4(t *testing.T, path string) map[string]fact {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	image, err := ext4.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	facts, first := map[string]fact{}, map[uint32]string{}
	err = image.Walk(context.Background(), func(name string, n *ext4.Inode) error {
		if name == "/lost+found" {
			return fs.SkipDir
		}
		if first[n.Ino] == "" {
			first[n.Ino] = name
		}
		facts[name], err = factOf(n, first[n.Ino])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func factOf(n *ext4.Inode, first string) (fact, error) {
	f := fact{Mode: n.Mode, UID: n.UID, GID: n.GID, MTime: n.MTime.UTC(), Inode: first, Major: n.Major, Minor: n.Minor}
	var err error
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		content, err := n.Open()
		if err != nil {
			return f, err
		}
		sum := sha256.New()
		if f.Size, err = io.Copy(sum, content); err != nil {
			return f, err
		}
		f.Sum = fmt.Sprintf("%x", sum.Sum(nil))
	case unix.S_IFLNK:
		if f.Link, err = n.Readlink(); err != nil {
			return f, err
		}
	}
	xattrs, err := n.Xattrs()
	for _, name := range slices.Sorted(maps.Keys(xattrs)) {
		f.Xattrs += fmt.Sprintf("%s=%q ", name, xattrs[name])
	}
	return f, err
}
