package imagepull_test

import (
	"archive/tar"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// hostileCase is one row of what a layer can bring. lower, when there, is the
// layer below. The result is want, a listing, or an error of code.
type hostileCase struct {
	rows  string // of the design's table
	name  string
	lower []member
	layer []member
	want  string
	code  model.Code
	says  string // part of the error
}

var longName = strings.Repeat("n", 255)

var hostileCases = []hostileCase{
	{rows: "1", name: "up and out", layer: []member{file("../x", "")}, code: model.CodeIntegrity, says: `../x" leaves the root`},
	{rows: "1", name: "rooted, up and out", layer: []member{file("/../x", "")}, code: model.CodeIntegrity, says: "leaves the root"},
	{rows: "1", name: "down, up and out", layer: []member{file("a/../../x", "")}, code: model.CodeIntegrity, says: "leaves the root"},
	{rows: "1", name: "up but inside", layer: []member{file("a/../x", "1")}, want: `/x file "1"`},
	{rows: "2", name: "other spellings", layer: []member{file("/etc/x", "1"), file("./y", "2"), file("a//b", "3"), dir("./d/")},
		want: "/a dir\n/a/b file \"3\"\n/d dir\n/etc dir\n/etc/x file \"1\"\n/y file \"2\""},
	{rows: "3", name: "root as a link", layer: []member{symlink("./", "/etc")}, code: model.CodeIntegrity, says: "root"},
	{rows: "3", name: "root as a file", layer: []member{{raw: rawHeader("/.", '0', nil)}}, code: model.CodeIntegrity, says: "root"},
	{rows: "3", name: "root as a hard link", layer: []member{file("a", ""), hardlink(".", "a")}, code: model.CodeIntegrity, says: "root"},
	{rows: "4", name: "no name", layer: []member{{raw: rawHeader("", '2', map[int]string{157: "/etc"})}}, code: model.CodeIntegrity, says: "no name"},
	{rows: "4", name: "parent as a link", layer: []member{symlink("..", "/etc")}, code: model.CodeIntegrity, says: "leaves the root"},
	{rows: "5", name: "sibling of the root", layer: []member{file("../root-evil/x", "")}, code: model.CodeIntegrity, says: "leaves the root"},
	{rows: "6", name: "no entry for parents", layer: []member{file("a/b/f", "1"), dir("c/d"), symlink("e/s", "t"), hardlink("g/h", "a/b/f")},
		want: "/a dir\n/a/b dir\n/a/b/f file \"1\" #1\n/c dir\n/c/d dir\n/e dir\n/e/s -> \"t\"\n/g dir\n/g/h file \"1\" #1"},
	{rows: "7", name: "parent is a file", layer: []member{file("a", "1"), file("a/b", "2")}, want: "/a dir\n/a/b file \"2\""},
	{rows: "7", name: "parent is a device below", lower: []member{device("a", tar.TypeFifo, 0, 0)}, layer: []member{file("a/b", "2")}, want: "/a dir\n/a/b file \"2\""},
	{rows: "8", name: "long names", layer: []member{
		file(strings.Repeat("u/", 70)+"ustar", "1"),
		file(strings.Repeat("p", 200), "2").with(func(h *tar.Header) { h.Format = tar.FormatPAX }),
		file(strings.Repeat("g", 200), "3").with(func(h *tar.Header) { h.Format = tar.FormatGNU }),
	}, want: listDirs("u", 70) + "/ustar file \"1\"\n/" + strings.Repeat("p", 200) + " file \"2\"\n/" + strings.Repeat("g", 200) + " file \"3\""},
	{rows: "9", name: "longest component", layer: []member{file(longName, "")}, want: "/" + longName + ` file ""`},
	{rows: "9", name: "component too long", layer: []member{file(longName+"n", "")}, code: model.CodeIntegrity, says: "256 bytes"},
	{rows: "9", name: "path too long", layer: []member{file(strings.Repeat("d/", 2048)+"x", "")}, code: model.CodeLimit, says: "path_bytes"},
	{rows: "10", name: "bytes are kept", layer: []member{file("lat\xe9in", "1"), file("new\nline", "2"), file("e\x1bsc", "3"), file(`back\slash`, "4"), file("co:lon", "5"), file("A", "6"), file("a", "7")},
		want: "/A file \"6\"\n/a file \"7\"\n/back\\slash file \"4\"\n/co:lon file \"5\"\n/e\x1bsc file \"3\"\n/lat\xe9in file \"1\"\n/new\nline file \"2\""},
	{rows: "11", name: "through an absolute link", layer: []member{dir("etc"), symlink("l", "/etc"), file("l/x", "1")}, want: "/etc dir\n/etc/x file \"1\"\n/l -> \"/etc\""},
	{rows: "11", name: "through a chain", layer: []member{dir("d"), symlink("a", "d"), symlink("b", "a"), symlink("c", "/b"), file("c/x", "1")},
		want: "/a -> \"d\"\n/b -> \"a\"\n/c -> \"/b\"\n/d dir\n/d/x file \"1\""},
	{rows: "11", name: "through a link up and out", layer: []member{dir("s"), symlink("s/l", "../../../etc"), file("s/l/x", "1")},
		want: "/etc dir\n/etc/x file \"1\"\n/s dir\n/s/l -> \"../../../etc\""},
	{rows: "12", name: "link texts are kept", layer: []member{symlink("a", "../../../etc/passwd"), symlink("b", "/etc//x/./y")}, want: "/a -> \"../../../etc/passwd\"\n/b -> \"/etc//x/./y\""},
	{rows: "12", name: "link without a text", layer: []member{{raw: rawHeader("a", '2', nil)}}, code: model.CodeIntegrity, says: "target"},
	{rows: "13", name: "link loop", layer: []member{symlink("a", "b"), symlink("b", "a"), file("a/x", "")}, code: model.CodeIntegrity, says: "symbolic links"},
	{rows: "13", name: "link to itself with a tail", layer: []member{symlink("a", "a/a/a"), file("a/x", "")}, code: model.CodeIntegrity, says: "symbolic links"},
	{rows: "14", name: "below a lower link", lower: []member{dir("usr/bin"), symlink("bin", "usr/bin")}, layer: []member{file("bin/x", "1")},
		want: "/bin -> \"usr/bin\"\n/usr dir\n/usr/bin dir\n/usr/bin/x file \"1\""},
	{rows: "15", name: "directory over a link", lower: []member{dir("d"), file("d/x", "1"), symlink("l", "d")}, layer: []member{dir("l/")}, want: "/d dir\n/d/x file \"1\"\n/l dir"},
	{rows: "16", name: "link over a full directory", lower: []member{file("d/x", "1"), dir("t")}, layer: []member{symlink("d", "/t"), file("d/y", "2")},
		want: "/d -> \"/t\"\n/t dir\n/t/y file \"2\""},
	{rows: "17", name: "hard link with an absolute target", layer: []member{file("a", "1"), hardlink("b", "/a")}, want: "/a file \"1\" #1\n/b file \"1\" #1"},
	{rows: "17", name: "hard link up and out", layer: []member{file("a", "1"), hardlink("b", "../../a")}, want: "/a file \"1\" #1\n/b file \"1\" #1"},
	{rows: "17", name: "hard link to a host file", layer: []member{hardlink("b", "../../../../etc/passwd")}, code: model.CodeIntegrity, says: "does not exist"},
	{rows: "17", name: "hard link through a link", layer: []member{file("d/a", "1"), symlink("l", "/d"), hardlink("b", "l/a")},
		want: "/b file \"1\" #1\n/d dir\n/d/a file \"1\" #1\n/l -> \"/d\""},
	{rows: "18", name: "hard link to a host file by the process directory", layer: []member{hardlink("b", "hostile_test.go")}, code: model.CodeIntegrity, says: "does not exist"},
	{rows: "19", name: "hard link to a link", layer: []member{file("f", "1"), symlink("s", "f"), hardlink("h", "s")}, want: "/f file \"1\"\n/h -> \"f\" #1\n/s -> \"f\" #1"},
	{rows: "20", name: "hard link before its target", layer: []member{hardlink("b", "a"), file("a", "1")}, want: "/a file \"1\" #1\n/b file \"1\" #1"},
	{rows: "20", name: "chain of hard links before the target", layer: []member{hardlink("d", "c"), hardlink("c", "b"), hardlink("b", "a"), file("a", "1")},
		want: "/a file \"1\" #1\n/b file \"1\" #1\n/c file \"1\" #1\n/d file \"1\" #1"},
	{rows: "20", name: "early hard link is replaced later", layer: []member{hardlink("b", "a"), file("b", "2"), file("a", "1")}, want: "/a file \"1\"\n/b file \"2\""},
	{rows: "21", name: "hard link to a directory", layer: []member{dir("d"), hardlink("b", "d")}, code: model.CodeIntegrity, says: "directory"},
	{rows: "21", name: "hard link to the root", layer: []member{hardlink("b", "/")}, code: model.CodeIntegrity, says: "directory"},
	{rows: "21", name: "hard link to itself", layer: []member{file("a", ""), hardlink("a", "./a")}, code: model.CodeIntegrity, says: "itself"},
	{rows: "21", name: "cycle of hard links", layer: []member{hardlink("a", "b"), hardlink("b", "a")}, code: model.CodeIntegrity, says: "does not exist"},
	{rows: "22", name: "linked file is overwritten", lower: []member{file("a", "1"), hardlink("b", "a")}, layer: []member{file("a", "2")}, want: "/a file \"2\"\n/b file \"1\""},
	{rows: "23", name: "first name of a linked file is removed", lower: []member{file("a", "1"), hardlink("b", "a"), hardlink("c", "a")}, layer: []member{gone(".wh.a")},
		want: "/b file \"1\" #1\n/c file \"1\" #1"},
	{rows: "24", name: "whiteout of nothing", layer: []member{gone(".wh.")}, code: model.CodeIntegrity, says: "hides nothing"},
	{rows: "24", name: "whiteout of the directory itself", layer: []member{gone("d/.wh..")}, code: model.CodeIntegrity, says: "hides nothing"},
	{rows: "24", name: "whiteout of the parent", layer: []member{gone("d/.wh...")}, code: model.CodeIntegrity, says: "hides nothing"},
	{rows: "25", name: "whiteout after an entry of the name", lower: []member{file("a", "1")}, layer: []member{file("a", "2"), gone(".wh.a")}, want: `/a file "2"`},
	{rows: "25", name: "whiteout after a directory of the name", lower: []member{file("d/x", "1")}, layer: []member{dir("d"), file("d/y", "2"), gone(".wh.d")}, want: "/d dir\n/d/y file \"2\""},
	{rows: "26", name: "opaque before", lower: []member{file("d/x", "1")}, layer: []member{gone("d/.wh..wh..opq"), dir("d"), file("d/y", "2")}, want: "/d dir\n/d/y file \"2\""},
	{rows: "26", name: "opaque after", lower: []member{file("d/x", "1"), file("d/s/z", "1")}, layer: []member{dir("d"), file("d/s/y", "2"), gone("d/.wh..wh..opq")},
		want: "/d dir\n/d/s dir\n/d/s/y file \"2\""},
	{rows: "26", name: "opaque root", lower: []member{file("x", "1")}, layer: []member{gone(".wh..wh..opq"), file("y", "2")}, want: `/y file "2"`},
	{rows: "26", name: "opaque in nothing", layer: []member{gone("d/.wh..wh..opq")}, want: ""},
	{rows: "27", name: "whiteout through a lower link", lower: []member{file("d/f", "1"), file("d/g", "2"), symlink("l", "d")}, layer: []member{gone("l/.wh.f")},
		want: "/d dir\n/d/g file \"2\"\n/l -> \"d\""},
	{rows: "28", name: "opaque directory over a lower link", lower: []member{file("d/f", "1"), symlink("l", "d")}, layer: []member{dir("l"), gone("l/.wh..wh..opq")},
		want: "/d dir\n/d/f file \"1\"\n/l dir"},
	{rows: "28", name: "opaque marker before its directory over a lower link", lower: []member{file("d/f", "1"), symlink("l", "d")}, layer: []member{gone("l/.wh..wh..opq"), dir("l")},
		want: "/d dir\n/d/f file \"1\"\n/l dir"},
	{rows: "30", name: "markers with nothing below", layer: []member{gone(".wh.x"), gone("d/.wh..wh..opq"), file("d/y", "1")}, want: "/d dir\n/d/y file \"1\""},
	{rows: "30", name: "bookkeeping of AUFS", layer: []member{dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x"), file(".wh..wh.aufs", "")}, want: ""},
	{rows: "31", name: "marker prefix on a directory", lower: []member{file("etc/x", "1")}, layer: []member{file(".wh.etc/somefile", "2")},
		want: "/.wh.etc dir\n/.wh.etc/somefile file \"2\"\n/etc dir\n/etc/x file \"1\""},
	{rows: "32", name: "overlay's own markers", lower: []member{file("x", "1")}, layer: []member{device("x", tar.TypeChar, 0, 0),
		xattr(dir("d"), map[string]string{"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y"})},
		want: "/d dir\n/x file \"1\""},
	{rows: "33", name: "types change", lower: []member{file("f", "1"), dir("d"), file("d/x", "1"), symlink("s", "t"), file("e/x", "1")},
		layer: []member{dir("f"), file("d", "2"), file("s", "3"), dir("e").with(func(h *tar.Header) { h.Mode, h.Uid = 0o700, 5 })},
		want:  "/d file \"2\"\n/e dir 0700 5:0\n/e/x file \"1\"\n/f dir\n/s file \"3\""},
	{rows: "34", name: "the same path twice", layer: []member{file("a", "1"), file("a", "2"), dir("b"), file("b", "3"), file("c", "4"), dir("c")}, want: "/a file \"2\"\n/b file \"3\"\n/c dir"},
	{rows: "35", name: "devices", layer: []member{device("n", tar.TypeChar, 1, 3), device("b", tar.TypeBlock, 4095, 1048575)}, want: "/b block 4095:1048575\n/n char 1:3"},
	{rows: "35", name: "major out of range", layer: []member{device("n", tar.TypeChar, 4096, 0)}, code: model.CodeIntegrity, says: "out of range"},
	{rows: "35", name: "minor out of range", layer: []member{device("n", tar.TypeBlock, 1, 1<<20)}, code: model.CodeIntegrity, says: "out of range"},
	{rows: "35", name: "negative number", layer: []member{{raw: rawHeader("n", '3', map[int]string{329: "\xff\xff\xff\xff\xff\xff\xff\xff"})}}, code: model.CodeIntegrity, says: "out of range"},
	{rows: "36", name: "fifo", layer: []member{device("p", tar.TypeFifo, 0, 0)}, want: "/p fifo"},
	{rows: "36", name: "unknown type", layer: []member{{raw: rawHeader("s", 's', nil)}}, code: model.CodeUnsupported, says: "unknown type"},
	{rows: "36", name: "global header", layer: []member{{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"path": "evil", "comment": "x"}}}, file("a", "1")}, want: `/a file "1"`},
	{rows: "37", name: "special bits", layer: []member{file("s", "").with(func(h *tar.Header) { h.Mode = 0o106755 }), dir("t").with(func(h *tar.Header) { h.Mode = 0o41777 })}, want: "/s file \"\" 6755\n/t dir 1777"},
	{rows: "38", name: "large owners", layer: []member{file("a", "").with(func(h *tar.Header) { h.Uid, h.Gid = math.MaxUint32-1, 3_999_999_999 })}, want: `/a file "" 4294967294:3999999999`},
	{rows: "38", name: "no owner", layer: []member{file("a", "").with(func(h *tar.Header) { h.Uid, h.Mode = math.MaxUint32, 0o4755 })}, code: model.CodeIntegrity, says: "out of range"},
	{rows: "38", name: "group that wraps to root", layer: []member{file("a", "").with(func(h *tar.Header) { h.Gid = 1 << 32 })}, code: model.CodeIntegrity, says: "out of range"},
	{rows: "38", name: "negative owner", layer: []member{{raw: rawHeader("n", '0', map[int]string{108: "\xff\xff\xff\xff\xff\xff\xff\xff"})}}, code: model.CodeIntegrity, says: "out of range"},
	{rows: "40", name: "attributes", layer: []member{
		xattr(file("f", ""), map[string]string{
			"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20", "SCHILY.xattr.user.x": "a\x00b",
			"SCHILY.xattr.security.selinux": "label", "SCHILY.xattr.btrfs.compression": "zstd", "LIBARCHIVE.xattr.user.y%2Fz": "aGVsbG8", "LIBARCHIVE.xattr.user.x": "bm8"}),
		xattr(symlink("s", "t"), map[string]string{"SCHILY.xattr.user.x": "no", "SCHILY.xattr.trusted.t": "yes"}),
	}, want: "/f file \"\" security.capability=\"\\x01\\x00\\x00\\x02\\x00 \" user.x=\"a\\x00b\" user.y/z=\"hello\"\n/s -> \"t\" trusted.t=\"yes\""},
	{rows: "40", name: "too large attributes", layer: []member{xattr(file("f", ""), map[string]string{"SCHILY.xattr.user.x": strings.Repeat("x", 64<<10)})}, code: model.CodeLimit, says: "xattr_bytes"},
	{rows: "42", name: "size lies", layer: []member{{raw: rawHeader("a", '0', map[int]string{124: "00000077777\x00"})}}, code: model.CodeIntegrity, says: "unexpected EOF"},
	{rows: "42", name: "content on a directory", layer: []member{{raw: append(rawHeader("d", '5', map[int]string{124: "00000000003\x00"}), []byte("abc"+strings.Repeat("\x00", 509))...)}}, code: model.CodeIntegrity, says: "header"},
	{rows: "49", name: "deep tree by links", layer: []member{dir(strings.Repeat("d/", 2000)), symlink("l", strings.Repeat("d/", 2000)), dir("l/" + strings.Repeat("d/", 100))}, code: model.CodeLimit, says: "depth"},
}

// listDirs is the listing of nested directories of one name, up to the path
// of what is in the last.
func listDirs(name string, depth int) string {
	var b strings.Builder
	path := ""
	for range depth {
		path += "/" + name
		b.WriteString(path + " dir\n")
	}
	return b.String() + path
}

func TestHostileLayers(t *testing.T) {
	t.Parallel()
	for _, c := range hostileCases {
		t.Run("row "+c.rows+" "+c.name, func(t *testing.T) {
			t.Parallel()
			layers := [][]byte{archive(t, c.layer...)}
			if c.lower != nil {
				layers = [][]byte{archive(t, c.lower...), layers[0]}
			}
			c.check(t, "", layers)
			base := archive(t, dir("zz-base"), file("zz-base/f", "base"), hardlink("zz-base/g", "zz-base/f"))
			below := "/zz-base dir\n/zz-base/f file \"base\" #0\n/zz-base/g file \"base\" #0"
			if strings.Contains(c.name, "opaque root") {
				below = ""
			}
			c.check(t, below, slices.Concat([][]byte{base}, layers))
		})
	}
}

// check flattens the layers and compares; below is what a layer that has
// nothing to do with the case adds.
func (c hostileCase) check(t *testing.T, below string, layers [][]byte) {
	t.Helper()
	root, contents, err := imagepull.FlattenArchives(context.Background(), imagepull.DefaultLimits(), model.Discard, layers...)
	if c.code != "" {
		if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d layers: error %q (%s), want %s with %q", len(layers), err, model.CodeOf(err), c.code, c.says)
		}
		return
	}
	if err != nil {
		t.Errorf("%d layers: %v", len(layers), err)
		return
	}
	want := split(c.want + "\n" + below)
	got := split(strings.Join(list(root, contents), "\n"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%d layers: (-want +got)\n%s", len(layers), diff)
	}
}

// split turns a listing into a set of lines that does not depend on which
// inode came first.
func split(s string) map[string]bool {
	set := map[string]bool{}
	for _, line := range strings.Split(s, "\n/") {
		line = strings.Trim(line, "\n")
		if i := strings.LastIndex(line, " #"); i >= 0 {
			line = line[:i] + " linked"
		}
		if line != "" {
			set[strings.TrimPrefix(line, "/")] = true
		}
	}
	return set
}

// TestLongChainOfLateLinks has each link before its target, and neighbours in
// the chain far from each other.
func TestLongChainOfLateLinks(t *testing.T) {
	t.Parallel()
	const links = 50_000
	var members []member
	for from := range 100 {
		for i := from; i < links; i += 100 {
			members = append(members, hardlink(fmt.Sprint("l", i+1), fmt.Sprint("l", i)))
		}
	}
	layer := archive(t, append(members, file("l0", "1"))...)
	root, _, err := imagepull.FlattenArchives(context.Background(), imagepull.DefaultLimits(), model.Discard, layer)
	if err != nil {
		t.Fatal(err)
	}
	for i := range links {
		if name := fmt.Sprint("l", i+1); root.Children[name] != root.Children["l0"] {
			t.Fatalf("%s is another file", name)
		}
	}
}

func TestThreeLayers(t *testing.T) {
	t.Parallel()
	// Row 29: what is deleted in the second and made again in the third layer
	// has only what the third brings.
	root, contents, err := imagepull.FlattenArchives(context.Background(), imagepull.DefaultLimits(), model.Discard,
		archive(t, file("d/old", "1"), file("keep", "k"), file("a", "x"), hardlink("b", "a")),
		archive(t, gone(".wh.d"), file("keep", "k2"), gone(".wh.a")),
		archive(t, file("d/new", "3")))
	if err != nil {
		t.Fatal(err)
	}
	want := lines("/b file \"x\"\n/d dir\n/d/new file \"3\"\n/keep file \"k2\"")
	if diff := cmp.Diff(want, list(root, contents)); diff != "" {
		t.Error(diff)
	}
}

// Row 39: times are kept to the nanosecond and clamped to what ext4 holds; a
// directory has its own even when files were put into it later.
func TestTimes(t *testing.T) {
	t.Parallel()
	at := func(m member, when time.Time) member {
		return m.with(func(h *tar.Header) { h.ModTime, h.Format = when, tar.FormatPAX })
	}
	root, _, err := imagepull.FlattenArchives(context.Background(), imagepull.DefaultLimits(), model.Discard, archive(t,
		at(dir("d"), time.Unix(1000, 7)), at(file("d/f", ""), time.Unix(-5, 250_000_000)),
		at(file("early", ""), time.Unix(-1<<40, 0)), at(file("late", ""), time.Unix(1<<40, 0))))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]time.Time{"d": root.Children["d"].MTime, "f": root.Children["d"].Children["f"].MTime,
		"early": root.Children["early"].MTime, "late": root.Children["late"].MTime}
	want := map[string]time.Time{"d": time.Unix(1000, 7), "f": time.Unix(-5, 250_000_000),
		"early": time.Unix(-1<<31, 0), "late": time.Date(2446, 5, 10, 22, 38, 55, 0, time.UTC)}
	for name := range maps.Keys(want) {
		if !got[name].Equal(want[name]) {
			t.Errorf("%s: %v, want %v", name, got[name], want[name])
		}
	}
}
