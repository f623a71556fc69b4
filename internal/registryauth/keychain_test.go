package registryauth_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/registryauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a home directory and an environment.
type place struct {
	t   *testing.T
	dir string
	env map[string]string

	keychain *registryauth.Keychain // made by the first find
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	return &place{t: t, dir: dir, env: map[string]string{"HOME": dir}}
}

func (p *place) write(path, text string) string {
	p.t.Helper()
	path = filepath.Join(p.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// find resolves an image's repository; "-" stands for no credentials.
func (p *place) find(ctx context.Context, image string) (string, error) {
	p.t.Helper()
	ref, err := name.ParseReference(image)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.keychain == nil {
		p.keychain = registryauth.New(registryauth.Config{Getenv: func(k string) string { return p.env[k] }})
	}
	auth, err := p.keychain.ResolveContext(ctx, ref.Context())
	if err != nil {
		return "", err
	}
	if auth == authn.Anonymous {
		return "-", nil
	}
	cfg, err := auth.Authorization()
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimRight(strings.Join([]string{cfg.Username, cfg.Password, cfg.IdentityToken, cfg.RegistryToken}, " "), " "), nil
}

func auth(user string) string {
	return `{"auth":"` + base64.StdEncoding.EncodeToString([]byte(user+":pw:"+user)) + `"}`
}

func TestFiles(t *testing.T) {
	t.Parallel()
	docker := `{"auths":{"https://index.docker.io/v1/":` + auth("hub") + `,"http://old.example/v1/":` + auth("old") +
		`,"Both.example:5000":` + auth("docker") + `,"empty.example":{},"plain.example":{"username":"u","password":"p"},` +
		`"token.example":{"identitytoken":"id"},"bearer.example":{"registrytoken":"rt"}}}`
	podman := `{"auths":{"docker.io/team":` + auth("team") + `,"both.example:5000":` + auth("podman") +
		`,"deep.example/a/b":` + auth("ab") + `,"deep.example/a":` + auth("a") + `,"deep.example/a/b/c/d":` + auth("abcd") + `,"empty.example":` + auth("podman") + `}}`
	p := newPlace(t)
	p.write(".docker/config.json", docker)
	p.write(".config/containers/auth.json", podman)
	for image, want := range map[string]string{
		"debian":                    "hub pw:hub",
		"docker.io/team/app":        "hub pw:hub", // docker's file comes first
		"old.example/x":             "old pw:old",
		"both.example:5000/x":       "docker pw:docker",
		"both.example/x":            "-",
		"empty.example/x":           "podman pw:podman",
		"plain.example/x":           "u p",
		"token.example/x":           "  id",
		"bearer.example/x":          "   rt",
		"deep.example/a/b/c":        "ab pw:ab",
		"deep.example/a/bc":         "a pw:a",
		"deep.example/ab":           "-",
		"deep.example/a/b/c/d/e":    "abcd pw:abcd",
		"evil-plain.example/x":      "-",
		"plain.example.evil.test/x": "-",
	} {
		if got, err := p.find(t.Context(), image); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", image, got, err, want)
		}
	}
}

func TestPlacesOfFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"home", nil, "home"},
		{"DOCKER_CONFIG", map[string]string{"DOCKER_CONFIG": "dc"}, "dc"},
		{"REGISTRY_AUTH_FILE alone", map[string]string{"DOCKER_CONFIG": "dc", "REGISTRY_AUTH_FILE": "raf.json"}, "raf"},
		{"REGISTRY_AUTH_FILE without an entry", map[string]string{"REGISTRY_AUTH_FILE": "none.json"}, "-"},
		{"run time directory", map[string]string{"DOCKER_CONFIG": "empty", "XDG_RUNTIME_DIR": "run"}, "run"},
		{"configuration directory", map[string]string{"DOCKER_CONFIG": "empty", "XDG_CONFIG_HOME": "xdg"}, "xdg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			for path, user := range map[string]string{
				".docker/config.json": "home", "dc/config.json": "dc", "raf.json": "raf",
				"run/containers/auth.json": "run", "xdg/containers/auth.json": "xdg",
			} {
				p.write(path, `{"auths":{"r.example":`+auth(user)+`}}`)
			}
			p.write("none.json", `{}`)
			for k, v := range c.env {
				p.env[k] = filepath.Join(p.dir, v)
			}
			want := c.want
			if want != "-" {
				want += " pw:" + want
			}
			if got, err := p.find(t.Context(), "r.example/x"); err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
	p := newPlace(t)
	p.env = map[string]string{"REGISTRY_AUTH_FILE": filepath.Join(p.dir, "gone.json")}
	if _, err := p.find(t.Context(), "r.example/x"); err == nil || !strings.Contains(err.Error(), "gone.json") || model.HintOf(err) == "" {
		t.Errorf("a file that is not there: %v", err)
	}
	p.env = map[string]string{}
	if got, err := p.find(t.Context(), "r.example/x"); err != nil || got != "-" {
		t.Errorf("no home: %q, %v", got, err)
	}
}

// Errors tell the file and never what is in it.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	secret := base64.StdEncoding.EncodeToString([]byte("user-and-secret"))
	for name, text := range map[string]string{
		"no JSON":          "auths",
		"not base64":       `{"auths":{"r.example":{"auth":"!` + secret + `"}}}`,
		"no password":      `{"auths":{"r.example":{"auth":"` + secret + `"}}}`,
		"too long":         `{"auths":{}}` + strings.Repeat(" ", 1<<20),
		"a path as helper": `{"credHelpers":{"r.example":"../../bin/sh"}}`,
		"flags as helper":  `{"credsStore":"-x"}`,
	} {
		p := newPlace(t)
		p.write(".docker/config.json", text)
		_, err := p.find(t.Context(), "r.example/x")
		if model.CodeOf(err) != model.CodeUnauthorized || !strings.Contains(err.Error(), "config.json") || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "user-and") {
			t.Errorf("%s: %v (%s)", name, err, model.CodeOf(err))
		}
	}
}

// TestHelpers runs helpers from PATH, which is this process's: it cannot run
// beside other tests.
func TestHelpers(t *testing.T) {
	p := newPlace(t)
	t.Setenv("PATH", filepath.Join(p.dir, "bin")+":/usr/bin:/bin")
	for name, body := range map[string]string{
		"good":  `read url; echo "{\"ServerURL\":\"$url\",\"Username\":\"u\",\"Secret\":\"for $1 $url\"}"`,
		"token": `echo '{"Username":"<token>","Secret":"tok"}'`,
		"none":  `echo 'credentials not found in native keychain'; exit 1`,
		"empty": `echo '{}'`,
		"bad":   `echo 'hidden secret'; echo 'the vault is shut' >&2; exit 3`,
		"junk":  `echo 'hidden secret'`,
		"long":  `head -c 100000 /dev/zero`,
		"slow":  `sleep 60`,
	} {
		if err := os.Chmod(p.write("bin/docker-credential-"+name, "#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.write(".docker/config.json", `{"credsStore":"none","auths":{"both.example":`+auth("file")+`,"file.example":`+auth("file")+`},"credHelpers":{`+
		`"docker.io":"good","r.example:5000":"good","token.example":"token","both.example":"good","none.example":"none","empty.example":"empty",`+
		`"bad.example":"bad","junk.example":"junk","long.example":"long","slow.example":"slow","gone.example":"gone"}}`)
	p.keychain = registryauth.New(registryauth.Config{Getenv: func(k string) string { return p.env[k] }, Timeout: 2 * time.Second})
	for image, want := range map[string]string{
		"debian":            "u for get https://index.docker.io/v1/",
		"r.example:5000/a":  "u for get r.example:5000",
		"token.example/a":   "  tok",
		"both.example/a":    "u for get both.example",
		"none.example/a":    "-",
		"empty.example/a":   "-",
		"unknown.example/a": "-",
		"file.example/a":    "file pw:file",
	} {
		if got, err := p.find(t.Context(), image); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", image, got, err, want)
		}
	}
	for host, says := range map[string]string{
		"bad": "the vault is shut", "junk": "JSON", "long": "too much output", "slow": "no answer in time", "gone": "not in PATH",
	} {
		_, err := p.find(t.Context(), host+".example/a")
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %q", host, err, says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.find(ctx, "slow.example/a"); err == nil {
		t.Error("canceled: no error")
	}
}

func TestKeychainReadsAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var got []string
	for _, user := range []string{"first", "second"} {
		p.write(".docker/config.json", `{"auths":{"r.example":`+auth(user)+`}}`)
		found, err := p.find(t.Context(), "r.example/x")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, found)
	}
	if diff := cmp.Diff([]string{"first pw:first", "second pw:second"}, got); diff != "" {
		t.Error(diff)
	}
}
