package ext4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
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
	m.finish(dir(tree{"crowd": dir(crowd), "many": many, "link": symlink(string(pattern(3, 100))), "dev": {Mode: 0o020644, Major: 5}}), 0)
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
