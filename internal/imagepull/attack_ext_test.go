package imagepull_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"banger/internal/model"
)

const badHeader = "invalid tar header"

// paxAttacks are extended headers that are not as they should be.
func paxAttacks() []attack {
	big := strings.Repeat("r", 1<<20)
	cases := []struct {
		name, records, want string
		code                model.Code
		says                string
	}{
		{"no length", "path=x\n", "", model.CodeIntegrity, badHeader},
		{"length of nothing", "0 path=x\n", "", model.CodeIntegrity, badHeader},
		{"length too short", "5 path=x\n", "", model.CodeIntegrity, badHeader},
		{"length too long", "50 path=x\n", "", model.CodeIntegrity, badHeader},
		{"length that overflows", "99999999999999999999 path=x\n", "", model.CodeIntegrity, badHeader},
		{"negative length", "-9 path=x\n", "", model.CodeIntegrity, badHeader},
		{"length with a sign", "+9 path=x\n", "", model.CodeIntegrity, badHeader},
		{"hexadecimal length", "0x9 path=x\n", "", model.CodeIntegrity, badHeader},
		{"no end of line", "9 path=x", "", model.CodeIntegrity, badHeader},
		{"other end of line", "9 path=x\r", "", model.CodeIntegrity, badHeader},
		{"no equals sign", "9 path x\n", "", model.CodeIntegrity, badHeader},
		{"no key", pax("", "x"), "", model.CodeIntegrity, badHeader},
		{"NUL in the path", pax("path", "a\x00b"), "", model.CodeIntegrity, badHeader},
		{"NUL in the target", pax("linkpath", "a\x00b"), "", model.CodeIntegrity, badHeader},
		{"NUL in the owner's name", pax("uname", "a\x00b"), "", model.CodeIntegrity, badHeader},
		{"NUL in a key", pax("a\x00b", "x"), "", model.CodeIntegrity, badHeader},
		{"empty path", pax("path", ""), `/m file ""`, "", ""},
		{"unknown key", pax("SOME.thing", "x"), `/m file ""`, "", ""},
		{"the same key twice", pax("path", "first") + pax("path", "second"), `/second file ""`, "", ""},
		{"path up and out", pax("path", "../../x"), "", model.CodeIntegrity, "leaves the root"},
		{"path of the root", pax("path", "/"), "", model.CodeIntegrity, ""},
		{"size too large", pax("size", "9223372036854775807"), "", model.CodeLimit, "output_bytes"},
		{"size that overflows", pax("size", "9223372036854775808"), "", model.CodeIntegrity, badHeader},
		{"negative size", pax("size", "-1"), "", model.CodeIntegrity, badHeader},
		{"size in hexadecimal", pax("size", "0x10"), "", model.CodeIntegrity, badHeader},
		{"size that lies", pax("size", "4096"), "", model.CodeIntegrity, "EOF"},
		{"owner that is no number", pax("uid", "root"), "", model.CodeIntegrity, badHeader},
		{"owner that wraps to root", pax("uid", "4294967296"), "", model.CodeIntegrity, "out of range"},
		{"owner that is none", pax("gid", "4294967295"), "", model.CodeIntegrity, "out of range"},
		{"negative owner", pax("uid", "-1"), "", model.CodeIntegrity, "out of range"},
		{"time that is none", pax("mtime", "now"), "", model.CodeIntegrity, badHeader},
		{"time of a great exponent", pax("mtime", "1e99"), "", model.CodeIntegrity, badHeader},
		{"time with many digits", pax("mtime", "1."+strings.Repeat("9", 1000)), `/m file ""`, "", ""},
		{"too long", pax("comment", big), "", model.CodeLimit, "too long (bytes of one: at most 1048576)"},
		{"many records", strings.Repeat(pax("comment", "x"), 50_000), `/m file ""`, "", ""},
		{"path too long", pax("path", strings.Repeat("d/", 5000)), "", model.CodeLimit, "path_bytes"},
		{"part too long", pax("path", strings.Repeat("d", 256)), "", model.CodeIntegrity, "256 bytes"},
	}
	var all []attack
	for _, c := range cases {
		all = append(all,
			attack{"pax " + c.name, nil, ended(paxBlock(c.records), block("m", '0', nil, "")), c.want, c.code, c.says},
			// A global header has no say, but must be well-formed all the same.
			global("pax global "+c.name, c.records, c.says == badHeader || c.name == "too long", c.code, c.says))
	}
	return all
}

func global(name, records string, refused bool, code model.Code, says string) attack {
	a := attack{name: name, blob: ended(block("g", 'g', nil, records), block("m", '0', nil, "")), want: `/m file ""`}
	if refused && !strings.Contains(name, "size") && !strings.Contains(name, "owner that") && !strings.Contains(name, "time") {
		a.want, a.code, a.says = "", code, says
	}
	return a
}

// gnuAttacks are long names in GNU's way that are not as they should be.
func gnuAttacks() []attack {
	m, link := block("m", '0', nil, ""), block("m", '2', map[int]string{fieldLink: "t"}, "")
	return []attack{
		{name: "gnu name without an end", blob: ended(gnuLong('L', "long"), m), want: `/long file ""`},
		{name: "gnu name with a second end", blob: ended(gnuLong('L', "long\x00er\x00"), m), want: `/long file ""`},
		{name: "gnu empty name", blob: ended(gnuLong('L', "\x00"), m), want: `/m file ""`},
		{name: "gnu name twice", blob: ended(gnuLong('L', "one\x00"), gnuLong('L', "two\x00"), m), want: `/two file ""`},
		{name: "gnu name up and out", blob: ended(gnuLong('L', "../x\x00"), m), code: model.CodeIntegrity, says: "leaves the root"},
		{name: "gnu name of nothing", blob: ended(gnuLong('L', "long\x00")), want: ""},
		{name: "gnu name too long for a path", blob: ended(gnuLong('L', strings.Repeat("d/", 5000)), m), code: model.CodeLimit, says: "path_bytes"},
		{name: "gnu name too long for the reader", blob: ended(gnuLong('L', strings.Repeat("d", 2<<20)), m), code: model.CodeLimit, says: "at most 1048576"},
		{name: "gnu target too long", blob: ended(gnuLong('K', strings.Repeat("d", 4096)), link), code: model.CodeIntegrity, says: "4096 bytes"},
		{name: "gnu longest target", blob: ended(gnuLong('K', strings.Repeat("d", 4095)), link), want: "/m -> \"" + strings.Repeat("d", 4095) + "\""},
		{name: "gnu target of a file", blob: ended(gnuLong('K', "x\x00"), m), want: `/m file ""`},
		// The archive reader that all engines written in Go share takes GNU's word over PAX's.
		{name: "pax before gnu", blob: ended(paxBlock(pax("path", "p")), gnuLong('L', "g\x00"), m), want: `/g file ""`},
		{name: "gnu before pax", blob: ended(gnuLong('L', "g\x00"), paxBlock(pax("path", "p")), m), want: `/g file ""`},
		{name: "gnu name of a size that lies", blob: ended(block("L", 'L', map[int]string{fieldSize: octal(1<<33, 12)}, "")), code: model.CodeIntegrity, says: ""},
		{name: "gnu name of negative size", blob: ended(block("L", 'L', map[int]string{fieldSize: base256(-1, 12)}, "")), code: model.CodeIntegrity, says: badHeader},
		{name: "ustar prefix", blob: ended(block("m", '0', map[int]string{fieldPrefix: "up/to"}, "")), want: "/up dir\n/up/to dir\n/up/to/m file \"\""},
		{name: "ustar prefix up and out", blob: ended(block("m", '0', map[int]string{fieldPrefix: "../.."}, "")), code: model.CodeIntegrity, says: "leaves the root"},
		{name: "ustar prefix that is the root", blob: ended(block("m", '0', map[int]string{fieldPrefix: "/"}, "")), want: `/m file ""`},
		{name: "gnu magic, and times where ustar has its prefix", blob: ended(block("m", '0', map[int]string{257: "ustar  \x00", fieldPrefix: octal(1, 12)}, "")), want: `/m file ""`},
		{name: "no magic", blob: ended(block("m", '0', map[int]string{257: strings.Repeat("\x00", 8), fieldPrefix: "../.."}, "")), want: `/m file ""`},
		{name: "no magic and a name with a slash", blob: ended(block("m/", 0, map[int]string{257: strings.Repeat("\x00", 8)}, "")), want: "/m dir 0644"},
	}
}

// sparseAttacks are sparse members in all three forms of GNU tar.
func sparseAttacks() []attack {
	const bad = badHeader
	var all []attack
	old := func(name, mapping string, real int64, data, want string, code model.Code, says string) {
		b := block("s", 'S', map[int]string{257: "ustar  \x00", 386: mapping, 483: octal(real, 12)}, data)
		all = append(all, attack{name: "sparse old " + name, blob: ended(b), want: want, code: code, says: says})
	}
	pair := func(at, n int64) string { return octal(at, 12) + octal(n, 12) }
	hole := func(n int, data string) string { return fmt.Sprintf("/s file %q", strings.Repeat("\x00", n)+data) }
	old("one piece", pair(8, 4), 12, "data", hole(8, "data"), "", "")
	old("a hole at the end", pair(0, 4)+pair(8, 0), 8, "data", fmt.Sprintf("/s file %q", "data\x00\x00\x00\x00"), "", "")
	old("nothing but a hole", pair(16, 0), 16, "", hole(16, ""), "", "")
	old("backwards", pair(8, 2)+pair(0, 2), 12, "data", "", model.CodeIntegrity, bad)
	old("overlap", pair(0, 3)+pair(2, 1), 4, "data", "", model.CodeIntegrity, bad)
	old("beyond the end", pair(8, 4), 10, "data", "", model.CodeIntegrity, bad)
	old("more than there is", pair(0, 5), 5, "data", "", model.CodeIntegrity, "")
	old("less than there is", pair(0, 3), 3, "data", "", model.CodeIntegrity, "")
	old("negative", base256(-4, 12)+octal(4, 12), 4, "data", "", model.CodeIntegrity, bad)
	old("negative size", pair(0, 4), -1, "data", "", model.CodeIntegrity, "")
	old("that overflows", base256(1<<62, 12)+base256(1<<62, 12), 4, "data", "", model.CodeIntegrity, "")
	old("of nine exabytes", pair(0, 4)+base256(1<<62, 12)+octal(0, 12), 1<<35, "data", "", model.CodeIntegrity, "")
	large := block("s", 'S', map[int]string{257: "ustar  \x00", 386: pair(0, 4), 483: base256(1<<62, 12)}, "data")
	all = append(all, attack{name: "sparse old of a great hole", blob: ended(large), code: model.CodeLimit, says: "output_bytes"})
	for n, format := range []string{"0.0", "0.1", "1.0"} {
		for _, c := range sparsePax(n) {
			header := block("s", '0', nil, c.data)
			all = append(all, attack{"sparse " + format + " " + c.name, nil, ended(paxBlock(c.records), header), c.want, c.code, c.says})
		}
	}
	return all
}

type sparseCase struct {
	name, records, data, want string
	code                      model.Code
	says                      string
}

// sparsePax writes the same maps in the three forms that have a PAX header.
func sparsePax(form int) []sparseCase {
	maps := []struct {
		name string
		real int64
		of   []string // offset, length, offset, ...
		want string
		code model.Code
		says string
	}{
		{"one piece", 12, []string{"8", "4"}, fmt.Sprintf("/s file %q", strings.Repeat("\x00", 8)+"data"), "", ""},
		{"two pieces", 12, []string{"0", "2", "8", "2"}, fmt.Sprintf("/s file %q", "da\x00\x00\x00\x00\x00\x00ta\x00\x00"), "", ""},
		{"backwards", 12, []string{"8", "2", "0", "2"}, "", model.CodeIntegrity, badHeader},
		{"overlap", 12, []string{"0", "3", "2", "1"}, "", model.CodeIntegrity, badHeader},
		{"beyond the end", 10, []string{"8", "4"}, "", model.CodeIntegrity, badHeader},
		{"negative", 12, []string{"-8", "4"}, "", model.CodeIntegrity, badHeader},
		{"no number", 12, []string{"x", "4"}, "", model.CodeIntegrity, badHeader},
		{"overflow", 12, []string{"9223372036854775807", "4"}, "", model.CodeIntegrity, badHeader},
		{"great hole", 1 << 40, []string{"0", "4"}, "", model.CodeLimit, "output_bytes"},
	}
	var cases []sparseCase
	for _, m := range maps {
		c := sparseCase{m.name, "", "data", m.want, m.code, m.says}
		real, pieces := fmt.Sprint(m.real), fmt.Sprint(len(m.of)/2)
		switch form {
		case 0:
			c.records = pax("GNU.sparse.size", real) + pax("GNU.sparse.numblocks", pieces)
			for i := 0; i < len(m.of); i += 2 {
				c.records += pax("GNU.sparse.offset", m.of[i]) + pax("GNU.sparse.numbytes", m.of[i+1])
			}
		case 1:
			c.records = pax("GNU.sparse.size", real) + pax("GNU.sparse.numblocks", pieces) + pax("GNU.sparse.map", strings.Join(m.of, ","))
		case 2:
			c.records = pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") + pax("GNU.sparse.realsize", real)
			c.data = string(pad(pieces+"\n"+strings.Join(m.of, "\n")+"\n")) + "data"
		}
		cases = append(cases, c)
	}
	if form == 2 {
		long := bytes.Repeat([]byte("0\n"), 1<<20)
		records := pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") + pax("GNU.sparse.realsize", "4")
		cases = append(cases,
			sparseCase{"map of millions", records, "2000000\n" + string(long) + string(long), "", model.CodeLimit, "at most 1048576"},
			sparseCase{"map without an end", records, "5", "", model.CodeIntegrity, ""},
			sparseCase{"map that lies of its length", records, "1000000\n0\n", "", model.CodeIntegrity, ""})
	}
	return cases
}

// deviceAttacks goes along the bounds of device numbers.
func deviceAttacks(t testing.TB) []attack {
	t.Helper()
	var all []attack
	for i, word := range []string{"char", "block"} {
		for _, n := range [][2]int64{{0, 1}, {1, 0}, {4095, 1048575}, {4096, 0}, {0, 1048576}, {-1, 1}, {1, -1}, {1 << 40, 1}, {1, 1 << 40}, {1 << 32, 1 << 32}} {
			a := attack{name: fmt.Sprintf("device %s %d:%d", word, n[0], n[1]),
				blob: ended(block("n", "34"[i], map[int]string{fieldMode: octal(0o600, 8), fieldMajor: base256(n[0], 8), fieldMinor: base256(n[1], 8)}, ""))}
			if a.want = fmt.Sprintf("/n %s %d:%d", word, n[0], n[1]); n[0] < 0 || n[0] > 4095 || n[1] < 0 || n[1] > 1048575 {
				a.want, a.code, a.says = "", model.CodeIntegrity, "out of range"
			}
			all = append(all, a)
		}
	}
	return all
}
