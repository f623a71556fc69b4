package imagepull_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/imagepull"
)

// member is a member of an archive to be; raw stands for all of it when set.
type member struct {
	tar.Header
	body string
	raw  []byte
}

var someTime = time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)

func file(name, body string) member {
	return member{Header: tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body)), ModTime: someTime}, body: body}
}

func dir(name string) member {
	return member{Header: tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755, ModTime: someTime}}
}

func symlink(name, target string) member {
	return member{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777, ModTime: someTime}}
}

func hardlink(name, target string) member {
	return member{Header: tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target, Mode: 0o644, ModTime: someTime}}
}

func device(name string, kind byte, major, minor int64) member {
	return member{Header: tar.Header{Name: name, Typeflag: kind, Devmajor: major, Devminor: minor, Mode: 0o600, ModTime: someTime}}
}

func gone(name string) member { return file(name, "") }

// with changes a member's header.
func (m member) with(change func(*tar.Header)) member {
	change(&m.Header)
	return m
}

func xattr(m member, records map[string]string) member {
	m.PAXRecords, m.Format = records, tar.FormatPAX
	return m
}

// archive writes members as a tar archive.
func archive(t testing.TB, members ...member) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		if m.raw != nil {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			buf.Write(m.raw)
			continue
		}
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatalf("writing %q: %v", m.Name, err)
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			t.Fatalf("writing %q: %v", m.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// rawHeader makes a ustar header block that archive/tar would refuse to write.
func rawHeader(name string, typeflag byte, fields map[int]string) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x00")
	copy(b[108:], "0000000\x00")
	copy(b[116:], "0000000\x00")
	copy(b[124:], "00000000000\x00")
	copy(b[136:], "00000000000\x00")
	b[156] = typeflag
	copy(b[257:], "ustar\x0000")
	for offset, value := range fields {
		copy(b[offset:], value)
	}
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// list shows a tree, one line per name. Names of one inode share a number.
func list(root *ext4.Node, contents *imagepull.Contents) []string {
	links := map[*ext4.Node]int{}
	count(root, links)
	var lines []string
	numbers := map[*ext4.Node]int{}
	walk(root, "", func(path string, n *ext4.Node) {
		line := path + " " + describe(n, contents)
		if links[n] > 1 {
			if numbers[n] == 0 {
				numbers[n] = len(numbers) + 1
			}
			line += fmt.Sprintf(" #%d", numbers[n])
		}
		lines = append(lines, line)
	})
	return lines
}

func count(n *ext4.Node, links map[*ext4.Node]int) {
	for _, c := range n.Children {
		links[c]++
		count(c, links)
	}
}

func walk(n *ext4.Node, path string, fn func(string, *ext4.Node)) {
	for _, name := range slices.Sorted(maps.Keys(n.Children)) {
		child := n.Children[name]
		fn(path+"/"+name, child)
		walk(child, path+"/"+name, fn)
	}
}

func describe(n *ext4.Node, contents *imagepull.Contents) string {
	return describeWith(n, contents.Of(n))
}

// describeWith shows a node with that content.
func describeWith(n *ext4.Node, content []byte) string {
	s := ""
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		s = "dir"
	case unix.S_IFREG:
		s = fmt.Sprintf("file %q", content)
	case unix.S_IFLNK:
		s = fmt.Sprintf("-> %q", n.Link)
	case unix.S_IFIFO:
		s = "fifo"
	case unix.S_IFCHR:
		s = fmt.Sprintf("char %d:%d", n.Major, n.Minor)
	case unix.S_IFBLK:
		s = fmt.Sprintf("block %d:%d", n.Major, n.Minor)
	default:
		s = fmt.Sprintf("type %o", n.Mode)
	}
	usual := map[uint32]uint32{unix.S_IFDIR: 0o755, unix.S_IFREG: 0o644, unix.S_IFLNK: 0o777, unix.S_IFCHR: 0o600, unix.S_IFBLK: 0o600, unix.S_IFIFO: 0o600}
	if mode := n.Mode & 0o7777; mode != usual[n.Mode&unix.S_IFMT] {
		s += fmt.Sprintf(" %04o", mode)
	}
	if n.UID != 0 || n.GID != 0 {
		s += fmt.Sprintf(" %d:%d", n.UID, n.GID)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Xattrs)) {
		s += fmt.Sprintf(" %s=%q", name, n.Xattrs[name])
	}
	return s
}

// lines splits a wanted listing.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
