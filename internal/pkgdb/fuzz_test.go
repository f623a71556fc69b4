package pkgdb_test

import (
	"testing"
	"unicode/utf8"

	"banger/internal/pkgdb"
)

func FuzzRPMHeader(f *testing.F) {
	f.Add(helloHeader())
	f.Add(rpmHeader(rpmTag{1000, 6, "no end"}))
	f.Add(rpmHeader(rpmTag{1000, 6, ""}, rpmTag{1003, 4, "\x00"}))
	f.Add([]byte("\x00\x00\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		p, err := pkgdb.ParseRPM(blob)
		if err != nil {
			return
		}
		for _, text := range []string{p.Name, p.Version, p.Arch} {
			if len(text) > 256 || !utf8.ValidString(text) {
				t.Errorf("%q", text)
			}
		}
		if p.Name == "" {
			t.Error("a package without a name")
		}
	})
}
