package main

import (
	"archive/tar"
	"fmt"
	"strings"
	"time"
)

// capNetRaw is security.capability for "cap_net_raw=ep": revision 2 with the
// effective bit, then permitted and inheritable as two little-endian pairs
// (linux/capability.h, struct vfs_cap_data). CAP_NET_RAW is bit 13.
const capNetRaw = "\x01\x00\x00\x02" + "\x00\x20\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

// multiLower is what multiUpper then hides, links to and replaces.
func multiLower(busybox, probe []byte) []entry {
	layer := []entry{
		dir("opt/app", 0o755),
		file("opt/app/kept", 0o644, "kept\n"),
		file("opt/app/removed", 0o644, "removed\n"),
		file("opt/app/replaced", 0o644, "lower\n"),
		dir("opt/app/removed-dir", 0o755),
		file("opt/app/removed-dir/file", 0o644, "removed\n"),
		dir("opt/app/dir-to-link", 0o755),
		file("opt/app/dir-to-link/file", 0o644, "hidden\n"),
		dir("opt/app/dir-to-file", 0o755),
		file("opt/app/dir-to-file/file", 0o644, "hidden\n"),
		dir("opt/opaque", 0o755),
		file("opt/opaque/old", 0o644, "old\n"),
		dir("opt/opaque/old-dir", 0o755),
		file("opt/opaque/old-dir/file", 0o644, "old\n"),

		// Three names of one file, one of them from the upper layer; and a
		// file whose first name the upper layer removes.
		dir("opt/links", 0o755),
		file("opt/links/one", 0o600, "one body\n").owned(7, 8),
		hardlink("opt/links/two", "opt/links/one"),
		file("opt/links/first", 0o644, "survives\n"),
		hardlink("opt/links/second", "opt/links/first"),

		dir("opt/bin", 0o755),
		file("opt/bin/busybox", 0o755, string(busybox)).xattr("security.capability", capNetRaw),
		file("opt/bin/suid", 0o4755, string(probe)),
		file("opt/bin/sgid", 0o2755, string(busybox)).owned(0, 42),
		file("opt/bin/not-executable", 0o644, "#!/bin/sh\n"),
	}
	return append(layer, oddities()...)
}

// oddities are attributes that a careless writer loses.
func oddities() []entry {
	return []entry{
		dir("opt/odd", 0o755),
		dir("opt/odd/sticky", 0o3777).owned(1234, 5678),
		file("opt/odd/owner", 0o640, "").owned(4000000000, 3999999999),
		file("opt/odd/mode0", 0, "secret\n"),
		file("opt/odd/attributes", 0o644, "x\n").
			xattr("user.note", "short").
			xattr("user.long", strings.Repeat("L", 900)),
		device(tar.TypeChar, "opt/odd/null", 1, 3),
		device(tar.TypeBlock, "opt/odd/disk", 8, 300),
		node(tar.TypeFifo, "opt/odd/fifo", 0o600),
		file("opt/odd/past", 0o644, "").at(time.Date(1935, 3, 1, 12, 0, 0, 0, time.UTC)),
		file("opt/odd/future", 0o644, "").at(time.Date(2100, 3, 1, 12, 0, 0, 123456789, time.UTC)),
		file("opt/odd/"+strings.Repeat("n", 255), 0o644, "long name\n"),
		file("opt/odd/ünï cödé", 0o644, "name\n"),
		file("opt/odd/new\nline", 0o644, "name\n"),
		symlink("opt/odd/link59", strings.Repeat("b", 59)),
		symlink("opt/odd/link60", strings.Repeat("c", 60)),
		symlink("opt/odd/link3000", strings.Repeat("d/", 1500)),
		file("opt/odd/body", 0o644, strings.Repeat("0123456789abcde\n", 3<<20/16)),
		file("opt/odd/zeros", 0o644, string(make([]byte, 2<<20))),
	}
}

// multiUpper changes multiLower and the Debian layer below both.
func multiUpper() []entry {
	layer := []entry{
		whiteout("opt/app", "removed"),
		whiteout("opt/app", "removed-dir"),
		file("opt/app/replaced", 0o600, "upper\n"),
		symlink("opt/app/dir-to-link", "../opaque"),
		file("opt/app/dir-to-file", 0o644, "now a file\n"),
		opaque("opt/opaque"),
		file("opt/opaque/new", 0o644, "new\n"),
		hardlink("opt/links/three", "opt/links/one"),
		whiteout("opt/links", "first"),
		whiteout("usr/share", "doc"),
		dir("opt/many", 0o755),
	}
	for i := range 2000 {
		layer = append(layer, file(fmt.Sprintf("opt/many/a-file-with-a-longish-name-%04d", i), 0o644, ""))
	}
	return layer
}

// busyboxLayer is the smallest system with a shell.
func busyboxLayer(busybox []byte) []entry {
	layer := []entry{
		dir("bin", 0o755),
		file("bin/busybox", 0o755, string(busybox)),
		dir("etc", 0o755),
		file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n"),
		file("etc/group", 0o644, "root:x:0:\n"),
		dir("root", 0o700),
		dir("tmp", 0o1777),
	}
	for _, applet := range []string{
		"sh", "ls", "cat", "echo", "id", "env", "pwd", "true", "false", "sleep", "stat", "df", "free",
		"wget", "stty", "kill", "uname", "hostname", "mkdir", "touch", "sync", "head", "wc", "tty",
	} {
		link := hardlink("bin/"+applet, "bin/busybox")
		link.header.Mode = 0o755 // podman and buildah give it to the file
		layer = append(layer, link)
	}
	return layer
}

// nonrootLayer adds a user and a place of its own to the busybox image.
func nonrootLayer() []entry {
	return []entry{
		file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"),
		file("etc/group", 0o644, "root:x:0:\napp:x:1000:\nextra:x:2000:app\n"),
		dir("home/app", 0o700).owned(1000, 1000),
		dir("srv/app", 0o755).owned(1000, 1000),
		file("srv/app/readme", 0o644, "hello\n").owned(1000, 1000),
	}
}

// distrolessLayer has one static program: no shell, no /etc, no /tmp.
func distrolessLayer(probe []byte) []entry {
	return []entry{
		file("probe", 0o755, string(probe)),
		file("not-executable", 0o644, "data\n"),
	}
}
