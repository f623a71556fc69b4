package banger_test

import (
	"regexp"
	"strings"
	"testing"

	"banger/internal/config"
)

// TestEverySettingOfImagesIsDocumented holds docs/images.md to the settings: a
// row for each of [image], with its default.
func TestEverySettingOfImagesIsDocumented(t *testing.T) {
	_, told, err := config.Load(t.TempDir()+"/none", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(image\\.[a-z_]+)` \\| (\\S+) \\|").FindAllStringSubmatch(read(t, "docs/images.md"), -1) {
		rows[m[1]] = m[2]
	}
	for _, s := range told.Settings {
		if !strings.HasPrefix(s.Key, "image.") {
			continue
		}
		want := s.Default
		if want == "" {
			want = "none"
		}
		if rows[s.Key] != want {
			t.Errorf("docs/images.md says that %s is %q by default, it is %q", s.Key, rows[s.Key], want)
		}
		delete(rows, s.Key)
	}
	for key := range rows {
		t.Errorf("docs/images.md has a row for %s, which is no setting", key)
	}
}
