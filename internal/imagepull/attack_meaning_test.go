package imagepull_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"banger/internal/model"
)

// xattrAttacks are attributes, kept or left out; each on a file, a directory,
// a link and a device.
func xattrAttacks(t testing.TB) []attack {
	t.Helper()
	star, lib := "SCHILY.xattr.", "LIBARCHIVE.xattr."
	cases := []struct {
		name, key, value string
		shown            string // on a file or directory
		others           bool   // on the rest as well
	}{
		{"binary", star + "trusted.b", "\xff\n=", ` trusted.b="\xff\n="`, true},
		{"user", star + "user.u", "v", ` user.u="v"`, false},
		{"no value", star + "trusted.e", " ", ` trusted.e=" "`, true},
		{"no name", star, "v", "", false},
		{"no namespace", star + "plain", "v", "", false},
		{"unknown namespace", star + "other.x", "v", "", false},
		{"namespace alone", star + "user.", "v", "", false},
		{"longest name", star + "trusted." + strings.Repeat("n", 247), "v", " trusted." + strings.Repeat("n", 247) + `="v"`, true},
		{"name too long", star + "trusted." + strings.Repeat("n", 256), "v", "", false},
		{"SELinux", star + "security.selinux", "v", "", false},
		{"overlay", star + "trusted.overlay.opaque", "y", "", false},
		{"overlay of users", star + "user.overlay.whiteout", "y", "", false},
		{"libarchive", lib + "trusted.l%2Fx", "YWI=", ` trusted.l/x="ab"`, true},
		{"libarchive bad base64", lib + "trusted.l", "!!", "", false},
		{"libarchive bad escape", lib + "trusted.%zz", "YWI", "", false},
		{"libarchive overlay by escape", lib + "trusted.overlay%2Eopaque", "eQ", "", false},
		{"malformed list of access", star + "system.posix_acl_access", "junk", "", false},
	}
	kinds := []struct {
		m     member
		shown string
		user  bool
	}{{file("m", ""), `/m file ""`, true}, {dir("m"), "/m dir", true}, {symlink("m", "t"), `/m -> "t"`, false}, {device("m", tar.TypeChar, 1, 3), "/m char 1:3", false}}
	var all []attack
	for _, c := range cases {
		for _, k := range kinds {
			want := k.shown
			if k.user || c.others {
				want += c.shown
			}
			all = append(all, attack{name: "xattr " + c.name + " on" + k.shown[2:6],
				blob: archive(t, xattr(k.m, map[string]string{c.key: c.value})), want: want})
		}
	}
	return all
}

// orderAttacks has the same members in every order that must not matter.
func orderAttacks(t testing.TB) []attack {
	t.Helper()
	lower := archive(t, file("d/x", "1"), file("d/s/z", "1"), file("e", "1"))
	var all []attack
	add := func(name string, lower []byte, want string, members ...member) {
		permute(members, func(order []member) {
			all = append(all, attack{name: fmt.Sprint("order of ", name, " ", len(all)), lower: lower, blob: archive(t, order...), want: want})
		})
	}
	add("markers", lower, "/d dir\n/d/y file \"2\"", dir("d"), file("d/y", "2"), gone("d/.wh..wh..opq"), gone(".wh.e"))
	add("a marker and what it would hide", lower, "/d dir\n/d/x file \"2\"\n/e file \"2\"", file("d/x", "2"), gone(".wh.d"), file("e", "2"), gone(".wh.e"))
	add("links", nil, "/a file \"1\" #1\n/b file \"1\" #1\n/c file \"1\" #1", file("a", "1"), hardlink("b", "a"), hardlink("c", "a"))
	add("a chain of links", nil, "/a file \"1\" #1\n/b file \"1\" #1\n/c file \"1\" #1\n/d file \"1\" #1\n/e file \"1\" #1",
		file("a", "1"), hardlink("b", "a"), hardlink("c", "/b"), hardlink("d", "./c"), hardlink("e", "../d"))
	add("parents", nil, "/p dir 0700\n/p/q dir 0711\n/p/q/r file \"1\"", file("p/q/r", "1"),
		dir("p").with(func(h *tar.Header) { h.Mode = 0o700 }), dir("p/q").with(func(h *tar.Header) { h.Mode = 0o711 }))
	return all
}

// permute calls use with every order of members.
func permute(members []member, use func([]member)) {
	var rest func(int)
	rest = func(from int) {
		if from == len(members) {
			use(members)
			return
		}
		for i := from; i < len(members); i++ {
			members[from], members[i] = members[i], members[from]
			rest(from + 1)
			members[from], members[i] = members[i], members[from]
		}
	}
	rest(0)
}

// linkAttacks leads names through symbolic links, as long as Linux would and
// longer, and out of the root.
func linkAttacks(t testing.TB) []attack {
	t.Helper()
	var all []attack
	for _, n := range []int{1, 2, 39, 40, 41, 100} {
		members, want := []member{dir("l0")}, []string{"/l0 dir", `/l0/x file "1"`}
		for i := range n {
			members = append(members, symlink(fmt.Sprint("l", i+1), fmt.Sprint("l", i)))
			want = append(want, fmt.Sprintf("/l%d -> \"l%d\"", i+1, i))
		}
		a := attack{name: fmt.Sprint("chain of links ", n), blob: archive(t, append(members, file(fmt.Sprintf("l%d/x", n), "1"))...), want: strings.Join(want, "\n")}
		if n > 40 {
			a.want, a.code, a.says = "", model.CodeIntegrity, "symbolic links"
		}
		all = append(all, a)
	}
	for _, target := range []string{"/", "..", "../..", "/..", "/../../..", "./..", "x/../../..", "/proc/self/root/../..", "../../../../../../.."} {
		want := fmt.Sprintf("/l -> %q\n/f file \"1\"", target)
		if strings.Contains(target, "proc") {
			want = fmt.Sprintf("/l -> %q\n/f file \"1\"\n/proc dir\n/proc/self dir\n/proc/self/root dir", target)
			want = strings.Replace(want, "/f file \"1\"", "/proc/f file \"1\"", 1)
		}
		if strings.HasPrefix(target, "x") {
			want += "\n/x dir"
		}
		all = append(all, attack{name: "link to " + target, blob: archive(t, symlink("l", target), file("l/f", "1")), want: want})
	}
	loops := map[string][]member{
		"two": {symlink("a", "b"), symlink("b", "a")}, "itself": {symlink("a", "a")}, "itself from the root": {symlink("a", "/a")},
		"with a tail": {symlink("a", "./b/c"), symlink("b", "a/d")}, "up": {dir("d"), symlink("d/a", "../d/a"), symlink("a", "d/a")},
	}
	for _, name := range slices.Sorted(maps.Keys(loops)) {
		members := loops[name]
		for _, last := range []member{file("a/x", ""), dir("a/x"), gone("a/.wh.x"), gone("a/.wh..wh..opq"), hardlink("a/x", "a"), hardlink("y", "a/x")} {
			a := attack{name: "loop of " + name + " " + last.Name + string(last.Typeflag), code: model.CodeIntegrity, says: "symbolic links",
				lower: archive(t, members...), blob: archive(t, last)}
			all = append(all, a)
		}
	}
	return all
}

// nameAttacks puts every byte that a name can have into names of each kind.
func nameAttacks(t testing.TB) []attack {
	t.Helper()
	kinds := []struct {
		name  string
		make  func(string) member
		shown string
	}{
		{"file", func(s string) member { return file(s, "") }, `file ""`}, {"dir", dir, "dir"},
		{"link", func(s string) member { return symlink(s, "t") }, `-> "t"`},
		{"target", func(s string) member { return symlink("t"+s[1:], s) }, ""},
	}
	var all []attack
	for _, k := range kinds {
		for first := 1; first < 256; first += 32 {
			var blocks [][]byte
			var want []string
			for c := first; c < min(first+32, 256); c++ {
				if c == '/' {
					continue
				}
				m := k.make("n" + string([]byte{byte(c)}))
				blocks = append(blocks, block(m.Name, m.Typeflag, map[int]string{fieldMode: octal(m.Mode, 8), fieldLink: m.Linkname}, ""))
				shown := k.shown
				if shown == "" {
					shown = fmt.Sprintf("-> %q", m.Linkname)
				}
				want = append(want, "/"+m.Name+" "+shown)
			}
			all = append(all, attack{name: fmt.Sprintf("names of bytes from %d, %s", first, k.name), blob: ended(blocks...), want: strings.Join(want, "\n")})
		}
	}
	return all
}

// packingAttacks puts something behind, between or into packed archives.
func packingAttacks(t testing.TB) []attack {
	t.Helper()
	plain := archive(t, file("a", "1"))
	const want = `/a file "1"`
	packed := map[string][]byte{"gzip": gzipped(t, plain), "zstd": zstded(t, plain)}
	var all []attack
	for _, name := range []string{"gzip", "zstd"} {
		b := packed[name]
		for i := 1; i < len(b); i += max(1, len(b)/24) {
			all = append(all, attack{name: fmt.Sprintf("%s cut at %d", name, i), blob: bytes.Clone(b[:i]), code: model.CodeIntegrity})
		}
		for _, junk := range []string{"junk", "\x00", strings.Repeat("\x00", 512), string(b[:3])} {
			all = append(all, attack{name: fmt.Sprintf("%s with %d bytes behind it, %q first", name, len(junk), junk[0]), blob: append(bytes.Clone(b), junk...), code: model.CodeIntegrity})
		}
		all = append(all,
			attack{name: name + " twice", blob: append(bytes.Clone(b), b...), code: model.CodeIntegrity, says: "follows the end"},
			attack{name: name + " in " + name, blob: map[string][]byte{"gzip": gzipped(t, b), "zstd": zstded(t, b)}[name], code: model.CodeIntegrity})
	}
	all = append(all,
		attack{name: "gzip then zstd", blob: append(bytes.Clone(packed["gzip"]), packed["zstd"]...), code: model.CodeIntegrity},
		attack{name: "zstd then gzip", blob: append(bytes.Clone(packed["zstd"]), packed["gzip"]...), code: model.CodeIntegrity},
		attack{name: "zstd then nothing but a skippable frame", blob: append(bytes.Clone(packed["zstd"]), skippable("x")...), want: want})
	for _, magic := range []string{"\xfd7zXZ\x00", "BZh9", "\x04\x22\x4d\x18", "PK\x03\x04"} {
		all = append(all, attack{name: fmt.Sprintf("magic %q", magic), blob: append([]byte(magic), plain...), code: model.CodeUnsupported, says: "compressed"})
	}
	return all
}
