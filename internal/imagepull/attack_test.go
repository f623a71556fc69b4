package imagepull_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"banger/internal/model"
)

// attack is an archive and what has to become of it.
type attack struct {
	name  string
	lower []byte // the layer below, or nil
	blob  []byte
	want  string // a listing, when it is accepted
	code  model.Code
	says  string
}

// attacks returns every archive of the suite: the cases of the table in each
// spelling, and what no ordinary writer would write.
func attacks(t testing.TB) []attack {
	t.Helper()
	return slices.Concat(
		spelledAttacks(t), truncations(), typeAttacks(), fieldAttacks(), paxAttacks(), gnuAttacks(),
		sparseAttacks(), deviceAttacks(t), xattrAttacks(t), orderAttacks(t), linkAttacks(t), nameAttacks(t), packingAttacks(t))
}

// spellings are ways to write the same members: the outcome is the same.
var spellings = []struct {
	name  string
	write func(testing.TB, []member) []byte
}{
	{"as it is", func(t testing.TB, m []member) []byte { return archive(t, m...) }},
	{"./", renamed("./", tar.FormatUnknown)},
	{"/", renamed("/", tar.FormatUnknown)},
	{".//./", renamed(".//./", tar.FormatUnknown)},
	{"x/../", renamed("x/../", tar.FormatPAX)},
	{"pax decoy", func(_ testing.TB, m []member) []byte { return decoyed(false, m) }},
	{"gnu decoy", func(_ testing.TB, m []member) []byte { return decoyed(true, m) }},
}

// renamed writes members with a prefix before their names.
func renamed(prefix string, format tar.Format) func(testing.TB, []member) []byte {
	return func(t testing.TB, members []member) []byte {
		t.Helper()
		changed := slices.Clone(members)
		for i := range changed {
			changed[i].Name = prefix + changed[i].Name
			if changed[i].Format == tar.FormatUnknown {
				changed[i].Format = format
			}
		}
		return archive(t, changed...)
	}
}

// packings are ways to pack an archive: the outcome is the same.
var packings = []func(testing.TB, []byte) []byte{
	func(_ testing.TB, b []byte) []byte { return b },
	func(t testing.TB, b []byte) []byte { return gzipped(t, b) },
	func(t testing.TB, b []byte) []byte {
		half := len(b) / 2
		return append(gzipped(t, b[:half]), gzipped(t, b[half:])...)
	},
	func(t testing.TB, b []byte) []byte { return zstded(t, b) },
	func(t testing.TB, b []byte) []byte {
		return append(append(skippable("head"), zstded(t, b)...), skippable("tail")...)
	},
	func(_ testing.TB, b []byte) []byte { return b[:len(b)-1024] },
	func(_ testing.TB, b []byte) []byte { return append(bytes.Clone(b), make([]byte, 9*512)...) },
}

// spelledAttacks writes each case in each spelling; the packings take turns.
func spelledAttacks(t testing.TB) []attack {
	t.Helper()
	var all []attack
	for i, c := range hostileCases {
		var lower []byte
		if c.lower != nil {
			lower = archive(t, c.lower...)
		}
		for j, s := range spellings {
			if j > 0 && !canSpell(c.layer) {
				break
			}
			blob := packings[(i+j)%len(packings)](t, s.write(t, c.layer))
			all = append(all, attack{fmt.Sprintf("row %s %s (%s)", c.rows, c.name, s.name), lower, blob, c.want, c.code, c.says})
		}
	}
	return all
}

// canSpell tells whether members can be written in other ways: raw bytes
// cannot, nor what only a PAX header says.
func canSpell(members []member) bool {
	return !slices.ContainsFunc(members, func(m member) bool {
		return m.raw != nil || m.PAXRecords != nil || m.Typeflag == tar.TypeXGlobalHeader
	})
}

// truncations cuts an archive of every kind of block around each boundary. It
// may end where a member may begin, or in the padding before.
func truncations() []attack {
	units := []struct {
		block []byte
		size  int    // of the content
		adds  string // to the listing, once the header and the content are there
	}{
		{block("plain", '0', nil, "content"), 7, `/plain file "content"`},
		{paxBlock(pax("path", "by-pax")), len(pax("path", "by-pax")), ""},
		{block("decoy", '0', nil, "x"), 1, `/by-pax file "x"`},
		{gnuLong('L', "by-gnu\x00"), 7, ""},
		{block("decoy", '5', nil, ""), 0, "/by-gnu dir 0644"},
		{block("full", '0', nil, strings.Repeat("f", 512)), 512, "/full file \"" + strings.Repeat("f", 512) + "\""},
		{block("link", '2', map[int]string{fieldLink: "target"}, ""), 0, `/link -> "target"`},
	}
	var all []attack
	var before []byte
	listing := ""
	for i, u := range units {
		for cut := range u.block {
			if !slices.Contains([]int{0, 1, 100, 256, 511, 512, 513, 512 + u.size - 1, 512 + u.size, 512 + u.size + 1, len(u.block) - 1}, cut) {
				continue
			}
			a := attack{name: fmt.Sprintf("cut %d bytes into block %d", cut, i), blob: append(bytes.Clone(before), u.block[:cut]...), want: listing}
			switch {
			case cut != 0 && cut < 512+u.size:
				a.code, a.says = model.CodeIntegrity, "EOF"
			case cut != 0:
				a.want += "\n" + u.adds
			}
			all = append(all, a)
		}
		before, listing = append(before, u.block...), listing+"\n"+u.adds
	}
	for _, n := range []int{0, 1, 511, 512, 513, 1023} {
		a := attack{name: fmt.Sprintf("cut %d bytes into the end", n), blob: append(bytes.Clone(before), make([]byte, n)...), want: listing}
		if n%512 != 0 {
			a.code, a.says = model.CodeIntegrity, "EOF"
		}
		all = append(all, a)
	}
	return all
}

// typeAttacks has a member of each type there is.
func typeAttacks() []attack {
	known := map[byte]string{
		0: `/m file ""`, '0': `/m file ""`, '7': `/m file ""`, '2': `/m -> "t"`, '5': "/m dir 0644",
		'3': "/m char 1:3 0644", '4': "/m block 1:3 0644", '6': "/m fifo 0644", 'g': "",
		'x': "", 'L': "", 'K': "", 'S': `/m file ""`,
	}
	var all []attack
	for i := range 256 {
		flag := byte(i)
		fields := map[int]string{fieldLink: "t", fieldMajor: octal(1, 8), fieldMinor: octal(3, 8)}
		if flag == 'S' {
			fields = map[int]string{257: "ustar  \x00", fieldMajor: octal(0, 8), fieldMinor: octal(0, 8)}
		}
		want, ok := known[flag]
		a := attack{name: fmt.Sprintf("type %q", flag), blob: ended(block("m", flag, fields, "")), want: want}
		switch {
		case flag == '1':
			a.code, a.says = model.CodeIntegrity, "does not exist"
		case !ok:
			a.code, a.says = model.CodeUnsupported, "unknown type"
		}
		all = append(all, a)
	}
	return all
}

// fieldAttacks writes numbers into the fields of a header that ought not to be
// there.
func fieldAttacks() []attack {
	const bad, huge = "invalid tar header", "out of range"
	fields := []struct {
		name string
		at   int
		n    int
		kind byte
		min1 string // what -1 gives: a listing, or an error of one of the two
	}{
		{"mode", fieldMode, 8, '0', `/m file "" 7777`}, {"uid", fieldUID, 8, '0', huge}, {"gid", fieldGID, 8, '0', huge},
		{"size", fieldSize, 12, '0', bad}, {"mtime", fieldMTime, 12, '0', `/m file ""`},
		{"major", fieldMajor, 8, '3', huge}, {"minor", fieldMinor, 8, '4', huge},
	}
	var all []attack
	for _, f := range fields {
		values := []struct{ name, value, want string }{
			{"digit 9", "9" + octal(0, f.n-1), bad},
			{"sign", "-" + octal(1, f.n-1), bad},
			{"letters", strings.Repeat("z", f.n), bad},
			{"bytes behind the end", "1\x00" + strings.Repeat("2", f.n-2), ""},
			{"binary -1", base256(-1, f.n), f.min1},
			{"binary beyond 64 bits", "\x80\xff" + strings.Repeat("\xff", f.n-2), ""},
			{"float", "1.5" + strings.Repeat("\x00", f.n-3), bad},
			{"hexadecimal", "0x1f" + strings.Repeat("\x00", f.n-4), bad},
		}
		for _, v := range values {
			if v.want == "" {
				continue
			}
			a := attack{name: "field " + f.name + " " + v.name, want: v.want,
				blob: ended(block("m", f.kind, map[int]string{f.at: v.value}, ""))}
			if v.want == bad || v.want == huge {
				a.want, a.code, a.says = "", model.CodeIntegrity, v.want
			}
			all = append(all, a)
		}
	}
	for at := 0; at < 512; at += 24 {
		b := block("m", '0', nil, "")
		b[at] ^= 0x40
		a := attack{name: fmt.Sprintf("checksum wrong by byte %d", at), blob: ended(b), code: model.CodeIntegrity, says: bad}
		all = append(all, a)
	}
	return all
}
