package ext4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"banger/internal/ext4"
)

// readEverything walks an image and reads all that the reader can.
func readEverything(t testing.TB, r io.ReaderAt) error {
	fs, err := ext4.Open(r)
	if err != nil {
		return err
	}
	_ = fs.Superblock()
	return fs.Walk(t.Context(), func(_ string, n *ext4.Inode) error {
		if _, err := n.Xattrs(); err != nil {
			return err
		}
		switch n.Mode & 0o170000 {
		case sIFLNK:
			_, err := n.Readlink()
			return err
		case sIFREG:
			f, err := n.Open()
			if err != nil {
				return err
			}
			_, err = io.CopyN(io.Discard, f, min(f.Size(), 4*mib))
			return err
		}
		return nil
	})
}

// metadataImage returns an image that holds each kind of metadata.
func metadataImage(t testing.TB) []byte {
	t.Helper()
	m := newImage(t)
	crowd := tree{}
	for i := range 400 {
		crowd[name(i)] = symlink("x")
	}
	content := make([]byte, 6*9*4096)
	for i := range 6 {
		copy(content[i*9*4096:], "data")
	}
	many := m.reg(string(content))
	many.Xattrs = map[string][]byte{"user.x": pattern(1, 500), "user.y": []byte("small")}
	m.finish(dir(tree{"crowd": dir(crowd), "many": many, "link": symlink(strings.Repeat("long", 30)), "dev": {Mode: 0o020644, Major: 5}}), 0)
	image, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestCorruption flips bytes in blocks of metadata, one at a time. The reader must notice each.
func TestCorruption(t *testing.T) {
	t.Parallel()
	image := metadataImage(t)
	if err := readEverything(t, bytes.NewReader(image)); err != nil {
		t.Fatal(err)
	}
	for what, part := range parseLayout(t, image) {
		for i := range int64(40) {
			at := part.block*4096 + i*part.covered/40
			image[at] ^= 0x40
			if err := readEverything(t, bytes.NewReader(image)); !errors.Is(err, ext4.ErrCorrupt) {
				t.Errorf("%s, byte %d: %v", what, at%4096, err)
			}
			image[at] ^= 0x40
		}
	}
}

// part is a block of which the checksum covers so many bytes.
type part struct{ block, covered int64 }

// parseLayout finds blocks of each kind with debugfs.
func parseLayout(t *testing.T, image []byte) map[string]part {
	path := t.TempDir() + "/image"
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	number := func(command, format string) int64 {
		var n int64
		out := debugfs(t, path, command)
		if i := bytes.Index([]byte(out), []byte(format)); i < 0 {
			t.Fatalf("%s has no %q:\n%s", command, format, out)
		} else if _, err := fmt.Sscan(out[i+len(format):], &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var crowd [3]int64
	for i := range crowd {
		if _, err := fmt.Sscan(debugfs(t, path, fmt.Sprintf("bmap /crowd %d", i)), &crowd[i]); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]part{
		"htree root":   {crowd[0], 32 + 3*8}, // ".", "..", dx_root_info and three entries
		"htree leaf":   {crowd[1], 4096},
		"second leaf":  {crowd[2], 4096},
		"extent block": {number("stat /many", "(ETB0):"), 4096},
		"xattr block":  {number("stat /many", "File ACL: "), 4096},
	}
}

// TestCorruptInodes flips each byte of the first inodes in use.
func TestCorruptInodes(t *testing.T) {
	t.Parallel()
	image := metadataImage(t)
	desc := image[4096:]
	table := int64(uint32(desc[8])|uint32(desc[9])<<8|uint32(desc[10])<<16|uint32(desc[11])<<24) * 4096
	for _, ino := range []int64{2, 11, 12, 13} {
		for i := range int64(256) {
			at := table + (ino-1)*256 + i
			image[at] ^= 0x80
			if err := readEverything(t, bytes.NewReader(image)); !errors.Is(err, ext4.ErrCorrupt) {
				t.Errorf("inode %d, byte %d: %v", ino, i, err)
			}
			image[at] ^= 0x80
		}
	}
	for at := range int64(1024 + 64) {
		at += 1024 + at/1024*(4096-2048)
		image[at] ^= 0x80
		if _, err := ext4.Open(bytes.NewReader(image)); !errors.Is(err, ext4.ErrCorrupt) && !errors.Is(err, ext4.ErrUnsupported) {
			t.Errorf("superblock or descriptor, byte %d: %v", at, err)
		}
		image[at] ^= 0x80
	}
}

func TestTruncatedImage(t *testing.T) {
	t.Parallel()
	image := metadataImage(t)
	for _, size := range []int{0, 1, 1500, 2048, 4096, 4097, 8192, 1 << 20, 2 << 20} {
		if err := readEverything(t, bytes.NewReader(image[:size])); !errors.Is(err, ext4.ErrCorrupt) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestHostileDirectories: without checksums, an entry is made to say what no sound image says.
func TestHostileDirectories(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	m.finish(dir(tree{"a": dir(tree{"inner": dir(nil)}), "b": dir(nil), "file": m.reg("x")}), 0)
	content, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	image := unchecked(content)
	if err := readEverything(t, bytes.NewReader(image)); err != nil {
		t.Fatal(err)
	}
	entry := func(name string) int { return bytes.Index(image, append([]byte{byte(len(name)), 2}, name...)) - 6 }
	inner, b := entry("inner"), entry("b")
	for what, c := range map[string]struct {
		at    int
		bytes []byte
	}{
		"entry of its parent":      {inner, image[entry("a") : entry("a")+4]},
		"entry of the root":        {inner, []byte{2, 0, 0, 0}},
		"directory with two names": {b, image[entry("a") : entry("a")+4]},
		"inode beyond the end":     {b, []byte{0xFF, 0xFF, 0xFF, 0xFF}},
		"unused inode":             {b, []byte{0x80, 0, 0, 0}},
		"name with a slash":        {inner + 8, []byte("in/er")},
		"name with NUL":            {inner + 8, []byte("in\x00er")},
		"dot dot":                  {inner + 6, []byte("\x02\x02..")},
		"empty name":               {inner + 6, []byte{0}},
		"twice the same name":      {b + 8, []byte("a")},
		"record of no length":      {b + 4, []byte{0, 0}},
		"record beyond the block":  {b + 4, []byte{0xFC, 0xFF}},
		"odd record":               {b + 4, []byte{13, 0}},
	} {
		hostile := &changedImage{sound: image, changes: []change{{int64(c.at), c.bytes}}}
		if err := readEverything(t, hostile); !errors.Is(err, ext4.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPaths: lookups are by name alone.
func TestPaths(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	m.finish(dir(tree{"d": dir(tree{"f": m.reg("x")}), "l": symlink("d"), "f": m.reg("y")}), 0)
	fs := m.open()
	for path, want := range map[string]error{
		"": nil, "/": nil, "d": nil, "/d/f": nil, "d//f/": nil, "./d/./f": nil,
		"/x": iofs.ErrNotExist, "/d/x": iofs.ErrNotExist, "/d/..": iofs.ErrInvalid,
	} {
		if _, err := fs.Lookup(path); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
	}
	for _, path := range []string{"/l/f", "/f/x"} {
		if info, err := fs.Stat(path); err == nil {
			t.Errorf("%q is found through a link or file: inode %d", path, info.Ino)
		}
	}
	if _, err := fs.OpenFile("d"); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := fs.Readlink("f"); err == nil {
		t.Error("a file has a link target")
	}
	if _, err := fs.ReadDir("f"); err == nil {
		t.Error("a file was listed")
	}
	var walked []string
	err := fs.Walk(t.Context(), func(path string, n *ext4.Inode) error {
		walked = append(walked, path)
		if path == "/d" {
			return iofs.SkipDir
		}
		return nil
	})
	if want := []string{"/", "/d", "/f", "/l", "/lost+found"}; err != nil || !slices.Equal(walked, want) {
		t.Errorf("walked %q, %v; want %q", walked, err, want)
	}
}
