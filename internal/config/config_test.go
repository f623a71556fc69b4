package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/config"
	"banger/internal/model"
)

// load reads a file of that text; "-" stands for no file.
func load(t *testing.T, text string, env map[string]string) (config.Config, model.Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if text != "-" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config.Load(path, func(k string) string { return env[k] })
}

func TestLoad(t *testing.T) {
	t.Parallel()
	with := func(change func(*config.Image)) config.Config {
		cfg := config.Default()
		change(&cfg.Image)
		return cfg
	}
	for _, c := range []struct {
		name, text string
		env        map[string]string
		want       config.Config
	}{
		{"no file", "-", nil, config.Default()},
		{"an empty file", "", nil, config.Default()},
		{"an empty section", "[image]\n", nil, config.Default()},
		{"a size", "[image]\noutput_bytes = \"2TiB\"\n", nil, with(func(i *config.Image) { i.OutputBytes = 2 << 40 })},
		{"a size in short", "[image]\nxattr_bytes = \"8k\"\n", nil, with(func(i *config.Image) { i.XattrBytes = 8 << 10 })},
		{"a size in bytes", "image.manifest_bytes = 1_000_000\n", nil, with(func(i *config.Image) { i.ManifestBytes = 1e6 })},
		{"a number", "[image]\nlayers = 3 # few\n", nil, with(func(i *config.Image) { i.Layers = 3 })},
		{"a time", "[image]\nstall = \"1m30s\"\n", nil, with(func(i *config.Image) { i.Stall = config.Duration(90 * time.Second) })},
		{"hosts", "[image]\ntoken_hosts = [\"login.example\"]\n", nil, with(func(i *config.Image) { i.TokenHosts = config.Hosts{"login.example"} })},
		{"the environment is over the file", "[image]\nlayers = 3\n", map[string]string{"BANGER_IMAGE_LAYERS": "4"}, with(func(i *config.Image) { i.Layers = 4 })},
		{"hosts of the environment", "", map[string]string{"BANGER_IMAGE_TOKEN_HOSTS": "A.example, b.example"}, with(func(i *config.Image) { i.TokenHosts = config.Hosts{"a.example", "b.example"} })},
	} {
		got, _, err := load(t, c.text, c.env)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		env        map[string]string
		says, hint string
	}{
		{"an unknown key", "[image]\n\nlayer = 3\n", nil, "line 3", "did you mean image.layers?"},
		{"an unknown section", "[images]\nlayers = 3\n", nil, `"images`, "image"},
		{"nothing near", "zzz = 1\n", nil, `"zzz"`, "there are: image.output_bytes"},
		{"no TOML", "[image\n", nil, "line 1", ""},
		{"a key twice", "[image]\nlayers = 1\nlayers = 2\n", nil, "layers", ""},
		{"a text for a number", "[image]\nlayers = \"many\"\n", nil, "image.layers", ""},
		{"nothing", "[image]\nlayers = 0\n", nil, "above 0", ""},
		{"less than nothing", "[image]\nlayers = -1\n", nil, "above 0", ""},
		{"a fraction", "[image]\nlayers = 1.5\n", nil, "above 0", ""},
		{"too many", "[image]\npath_bytes = 5000\n", nil, "at most 4095", ""},
		{"an unknown unit", "[image]\noutput_bytes = \"5X\"\n", nil, "no size", ""},
		{"an overflow", "[image]\noutput_bytes = \"9999999999999T\"\n", nil, "no size", ""},
		{"a time without a unit", "[image]\nstall = 60\n", nil, "no time", ""},
		{"a list for a size", "[image]\noutput_bytes = [1]\n", nil, "image.output_bytes", ""},
		{"no host", "[image]\ntoken_hosts = [\"https://x/\"]\n", nil, "no host name", ""},
		{"a bad variable", "", map[string]string{"BANGER_IMAGE_LAYERS": "x"}, "BANGER_IMAGE_LAYERS", ""},
		{"a long file", strings.Repeat("#", 1<<20+1), nil, "more than", ""},
	} {
		_, _, err := load(t, c.text, c.env)
		if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(err.Error(), c.says) || !strings.Contains(model.HintOf(err), c.hint) {
			t.Errorf("%s: %v (%s), hint %q", c.name, err, model.CodeOf(err), model.HintOf(err))
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	_, told, err := load(t, "[image]\nlayers = 3\ndepth = 9\n", map[string]string{"BANGER_IMAGE_DEPTH": "7"})
	if err != nil || filepath.Base(told.File) != "config.toml" {
		t.Fatal(told.File, err)
	}
	got := map[string]model.Setting{}
	for _, s := range told.Settings {
		if s.Doc == "" || got[s.Key].Key != "" {
			t.Errorf("%+v", s)
		}
		got[s.Key] = s
	}
	for key, want := range map[string]string{
		"image.layers": "3 512 file", "image.depth": "7 2048 environment", "image.output_bytes": "64GiB 64GiB default", "image.stall": "1m0s 1m0s default",
	} {
		s := got[key]
		if text := s.Value + " " + s.Default + " " + string(s.Origin); text != want {
			t.Errorf("%s: %q, want %q", key, text, want)
		}
	}
}
