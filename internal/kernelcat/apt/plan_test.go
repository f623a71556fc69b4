package apt

import (
	"strings"
	"testing"

	"banger/internal/model"

	"github.com/google/go-cmp/cmp"
)

func TestRewrite(t *testing.T) {
	t.Parallel()
	const debian = "Debian trixie http://m/debian/\nDebian trixie-updates http://m/debian/\nDebian trixie-security http://s/security/\n"
	bookworm := []source{{"http://m/debian/", "bookworm"}, {"http://s/security/", "bookworm-security"}, {"http://m/debian/", "bookworm-updates"}}
	for name, c := range map[string]struct {
		targets string
		want    []source
	}{
		"the next release's host":   {debian, bookworm},
		"security listed first":     {"Debian trixie-security http://s/security/\n" + strings.ReplaceAll(debian, "Debian trixie-security http://s/security/\n", ""), bookworm},
		"suites by alias":           {strings.ReplaceAll(debian, "trixie", "stable"), bookworm},
		"each source once":          {debian + debian, bookworm},
		"backports and proposals":   {"Debian trixie-backports http://m/debian/\nDebian trixie-proposed-updates http://m/debian/\n", nil},
		"other origins":             {"Docker trixie http://d/debian\nnodesource trixie http://n/\n", nil},
		"a disc":                    {"Debian trixie cdrom:[Debian]/\n", nil},
		"flat and odd repositories": {"Debian ./ http://f/\nDebian trixie/updates http://f/\ntrixie http://no-origin/\n\n", nil},
	} {
		if diff := cmp.Diff(c.want, rewrite(c.targets, "debian", "bookworm")); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestParseStanza(t *testing.T) {
	t.Parallel()
	const text = "Package: linux-image-virtual\nVersion: 6.8.0-60.63\nSize: 1504\n" +
		"Depends: linux-image-6.8.0-60-generic (= 1:2), linux-modules-6.8.0-60-generic:amd64 | other, x${y}\n\nPackage: second\nVersion: 2\n"
	want := pkg{Name: "linux-image-virtual", Version: "6.8.0-60.63", Size: 1504,
		Depends: []string{"linux-image-6.8.0-60-generic", "linux-modules-6.8.0-60-generic"}}
	if diff := cmp.Diff(want, parseStanza(text)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestConfRefusesDirectoriesThatWouldBeSettings(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"relative", "/a\";APT::Get::AllowUnauthenticated \"true", "/a\n#clear x;", "/a\\"} {
		if _, err := aptConf(dir, "amd64", true); model.CodeOf(err) != model.CodeUnsupported {
			t.Errorf("%q: %v", dir, err)
		}
	}
	conf, err := aptConf("/srv/my files", "amd64", true)
	if err != nil || !strings.Contains(conf, `Dir::State::lists "/srv/my files/lists";`) {
		t.Errorf("%v\n%s", err, conf)
	}
}
