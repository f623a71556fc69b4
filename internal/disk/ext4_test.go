package disk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/disk"
	"banger/internal/ext4"
	"banger/internal/model"
)

// rootfs makes an image with users, a home behind a link, and what is in it.
func rootfs(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rootfs.ext4")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	w, err := ext4.Create(f, ext4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := w.NewStream()
	file := func(text string) *ext4.Node {
		body, err := s.WriteBody(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		return &ext4.Node{Mode: unix.S_IFREG | 0o640, UID: 7, GID: 8, Body: body, Xattrs: map[string][]byte{"user.a": []byte("b")}}
	}
	dir := func(mode, id uint32, children map[string]*ext4.Node) *ext4.Node {
		return &ext4.Node{Mode: unix.S_IFDIR | mode, UID: id, GID: id, Children: children}
	}
	link := func(to string) *ext4.Node { return &ext4.Node{Mode: unix.S_IFLNK | 0o777, Link: to} }
	twice := file("twice")
	root := dir(0o755, 0, map[string]*ext4.Node{
		"etc": dir(0o755, 0, map[string]*ext4.Node{
			"passwd": link("../usr/passwd"), "other": file("no part of a home"),
		}),
		"usr": dir(0o755, 0, map[string]*ext4.Node{
			"passwd": file("root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:7:8::/home/app:/bin/sh\nloop:x:9:9::/loop:\nnobody:x:65534:65534::nowhere:\nodd:x:11:11::/home/./odd/:\n"),
			"home": dir(0o755, 0, map[string]*ext4.Node{
				"app":  dir(0o700, 7, map[string]*ext4.Node{"a": twice, "b": twice, "l": link("/etc/passwd"), "d": dir(0o2755, 7, map[string]*ext4.Node{"x": file("x")})}),
				"appx": dir(0o755, 0, map[string]*ext4.Node{"not": file("mine")}),
			}),
		}),
		"home": link("usr/home"),
		"loop": link("/loop"),
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(t.Context(), root, ext4.FinishOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFindHome(t *testing.T) {
	t.Parallel()
	image := rootfs(t)
	for user, want := range map[string]disk.Home{
		"":         {Path: "/root"},
		"root":     {Path: "/root"},
		"app":      {Path: "/home/app", UID: 7, GID: 8},
		"app:root": {Path: "/home/app", UID: 7, GID: 8},
		"7":        {Path: "/home/app", UID: 7, GID: 8},
		"nobody":   {Path: "/", UID: 65534, GID: 65534},
		"odd":      {Path: "/home/odd", UID: 11, GID: 11},
		"1234":     {Path: "/", UID: 1234},
		"who":      {Path: "/"},
	} {
		if got, err := disk.FindHome(image, user); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", user, got, err, want)
		}
	}
	if _, err := disk.FindHome(base(t), ""); err == nil {
		t.Error("no filesystem, and no error")
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	image := rootfs(t)
	name := filepath.Join(t.TempDir(), "work")
	if err := disk.MakeExt4(t.Context(), name, disk.Ext4Options{SizeBytes: 64 << 20, Label: "work", Seed: &disk.Seed{Rootfs: image, Dir: "/home/app"}}); err != nil {
		t.Fatal(err)
	}
	fs := open(t, name)
	for path, want := range map[string]ext4.Info{
		"/":    {Mode: unix.S_IFDIR | 0o700, UID: 7, GID: 7},
		"/a":   {Mode: unix.S_IFREG | 0o640, UID: 7, GID: 8, Links: 2, Size: 5},
		"/b":   {Mode: unix.S_IFREG | 0o640, UID: 7, GID: 8, Links: 2, Size: 5},
		"/d":   {Mode: unix.S_IFDIR | 0o2755, UID: 7, GID: 7},
		"/d/x": {Mode: unix.S_IFREG | 0o640, UID: 7, GID: 8, Links: 1, Size: 1},
		"/l":   {Mode: unix.S_IFLNK | 0o777, Links: 1, Size: int64(len("/etc/passwd"))},
	} {
		got, err := fs.Stat(path)
		if err != nil || got.Mode != want.Mode || got.UID != want.UID || got.GID != want.GID ||
			!got.IsDir() && (got.Links != want.Links || got.Size != want.Size) {
			t.Errorf("%s: %+v, %v; want %+v", path, got, err, want)
		}
	}
	if entries, err := fs.ReadDir("/"); err != nil || len(entries) != 5 { // with lost+found
		t.Errorf("entries: %v, %v", entries, err)
	}
	if attrs, err := fs.Xattrs("/a"); err != nil || string(attrs["user.a"]) != "b" {
		t.Errorf("attributes: %v, %v", attrs, err)
	}
	checked(t, name)
}

func TestSeedThatIsMissing(t *testing.T) {
	t.Parallel()
	image := rootfs(t)
	name := filepath.Join(t.TempDir(), "work")
	for _, dir := range []string{"/home/none", "/etc/other"} {
		if err := disk.MakeExt4(t.Context(), name, disk.Ext4Options{SizeBytes: 64 << 20, Seed: &disk.Seed{Rootfs: image, Dir: dir, UID: 5, GID: 6}}); err != nil {
			t.Fatal(err)
		}
		if got, err := open(t, name).Stat("/"); err != nil || got.UID != 5 || got.GID != 6 {
			t.Errorf("%s: %+v, %v", dir, got, err)
		}
	}
	if err := disk.MakeExt4(t.Context(), name+"2", disk.Ext4Options{SizeBytes: 64 << 20, Seed: &disk.Seed{Rootfs: image, Dir: "/loop"}}); err == nil {
		t.Error("a home that is a loop of links was copied")
	}
	onlyFile(t, filepath.Dir(name), "work")
}

// TestEmptyDisk: it is whole, of its size, and takes next to no space.
func TestEmptyDisk(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "data")
	if err := disk.MakeExt4(t.Context(), name, disk.Ext4Options{SizeBytes: 10 << 30, Label: "data"}); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil || st.Size != 10<<30 || st.Blocks*512 > 4<<20 {
		t.Errorf("%d bytes, of which %d on disk, %v", st.Size, st.Blocks*512, err)
	}
	if super := open(t, name).Superblock(); super.Label != "data" || !super.Clean {
		t.Errorf("superblock: %+v", super)
	}
	checked(t, name)
	if err := disk.MakeExt4(t.Context(), name+"2", disk.Ext4Options{SizeBytes: 1 << 20}); model.CodeOf(err) != model.CodeInvalid || model.HintOf(err) == "" {
		t.Errorf("a disk that is too small: %v", err)
	}
}

func TestCheckSize(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]model.Code{
		0: model.CodeInvalid, disk.MinSize - 1: model.CodeInvalid, disk.MinSize: "", disk.MaxSize: "", disk.MaxSize + 1: model.CodeLimit,
	} {
		if err := disk.CheckSize("a disk", size); model.CodeOf(err) != want {
			t.Errorf("%d: %v", size, err)
		}
	}
}

func open(t *testing.T, name string) *ext4.FS {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	fs, err := ext4.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// checked runs e2fsck over a filesystem, when it is there.
func checked(t *testing.T, name string) {
	t.Helper()
	tool, err := exec.LookPath("e2fsck")
	if err != nil {
		t.Log("not checked: e2fsck is not installed")
		return
	}
	if out, err := exec.CommandContext(t.Context(), tool, "-fn", name).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
}
