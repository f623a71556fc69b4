package apt_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/run"

	"github.com/google/go-cmp/cmp"
)

// need skips a test on a host without the programs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("no %s on this host", p)
		}
	}
}

// signer is a key of a distribution that exists only here.
type signer struct {
	home    string
	keyring string // directory, as /usr/share/keyrings
}

func newSigner(t *testing.T, distro string) signer {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // an agent's socket path must be short
	if err != nil {
		t.Fatal(err)
	}
	s := signer{home: home, keyring: t.TempDir()}
	t.Cleanup(func() {
		_, _ = run.Command(context.WithoutCancel(t.Context()), run.Cmd{Name: "gpgconf", Args: []string{"--homedir", home, "--kill", "all"}})
		_ = os.RemoveAll(home)
	})
	s.gpg(t, "", "--quick-generate-key", "Test archive", "ed25519", "sign", "never")
	s.gpg(t, "", "--output", filepath.Join(s.keyring, distro+"-archive-keyring.gpg"), "--export")
	return s
}

func (s signer) gpg(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	args = append([]string{"--homedir", s.home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"}, args...)
	res, err := run.Command(t.Context(), run.Cmd{Name: "gpg", Args: args, Stdin: strings.NewReader(stdin)})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Stdout)
}

// archive is a mirror's files by path.
type archive map[string]string

// addSuite adds one release: signed index, package list.
func (a archive) addSuite(t *testing.T, s signer, origin, suite, packages string) {
	t.Helper()
	list := "main/binary-amd64/Packages"
	release := fmt.Sprintf("Origin: %s\nSuite: %s\nCodename: %s\nDate: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n %x %d %s\n",
		origin, suite, suite, time.Now().UTC().Format(time.RFC1123), sha256.Sum256([]byte(packages)), len(packages), list)
	a["/dists/"+suite+"/InRelease"] = s.gpg(t, release, "--clearsign")
	a["/dists/"+suite+"/"+list] = packages
}

// addPackage adds a .deb and returns its stanza.
func (a archive) addPackage(name, version, depends string, deb []byte) string {
	path := "pool/" + name + "_" + version + "_amd64.deb"
	a["/"+path] = string(deb)
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Test <test@localhost>\nDepends: %s\nFilename: %s\nSize: %d\nSHA256: %x\nDescription: test\n\n",
		name, version, depends, path, len(deb), sha256.Sum256(deb))
}

func (a archive) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := a[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// host is the apt configuration of a host whose package lists were never
// updated, with these lines of sources.list.
func host(t *testing.T, s signer, arch string, lines ...string) apt.Config {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf("Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts %q;\nDir::State::lists %q;\nAcquire::http::Proxy \"DIRECT\";\n",
		filepath.Join(dir, "sources.list"), filepath.Join(dir, "none"), filepath.Join(dir, "lists"))
	for name, text := range map[string]string{
		"apt.conf": conf, "sources.list": strings.Join(lines, "\n") + "\n",
		"os-release": "ID=debian\nVERSION_CODENAME=trixie\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "lists"), 0o755); err != nil {
		t.Fatal(err)
	}
	return apt.Config{
		Dir: filepath.Join(t.TempDir(), "root"), Arch: arch, Keyrings: s.keyring,
		OSRelease: filepath.Join(dir, "os-release"), Env: []string{"APT_CONFIG=" + filepath.Join(dir, "apt.conf")},
	}
}

func download(t *testing.T, cfg apt.Config, req apt.Request) (apt.Result, error) {
	t.Helper()
	return apt.New(cfg).Download(t.Context(), req, t.TempDir(), func(note string) { t.Log(note) })
}

var cloud = apt.Request{Distro: "debian", Suite: "bookworm", Package: "linux-image-cloud-amd64"}

// debianArchive has the next release, which the host runs, and bookworm with
// a newer kernel among its security updates.
func debianArchive(t *testing.T, s signer) archive {
	t.Helper()
	a := archive{}
	deb := kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.KernelFiles("6.1.0-2-cloud-amd64")...))
	hello := a.addPackage("hello", "1", "", deb)
	a.addSuite(t, s, "Debian", "trixie", hello)
	a.addSuite(t, s, "Debian", "trixie-security", hello)
	a.addSuite(t, s, "Debian", "bookworm", a.addPackage("linux-image-cloud-amd64", "6.1.1-1", "linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)", deb)+
		a.addPackage("linux-image-6.1.0-1-cloud-amd64", "6.1.1-1", "kmod", deb))
	a.addSuite(t, s, "Debian", "bookworm-security", a.addPackage("linux-image-cloud-amd64", "6.1.2-1", "linux-image-6.1.0-2-cloud-amd64 (= 6.1.2-1)", deb)+
		a.addPackage("linux-image-6.1.0-2-cloud-amd64", "6.1.2-1", "kmod, linux-base (>= 4.3~), linux-modules-6.1.0-2-cloud-amd64", deb)+
		a.addPackage("linux-modules-6.1.0-2-cloud-amd64", "6.1.2-1", "", deb))
	return a
}

func TestDownload(t *testing.T) {
	t.Parallel()
	need(t, "apt-get", "apt-cache", "gpg", "gpgv")
	s := newSigner(t, "debian")
	url := debianArchive(t, s).serve(t)
	signed := "deb [signed-by=" + filepath.Join(s.keyring, "debian-archive-keyring.gpg") + "] " + url
	cfg := host(t, s, "amd64", signed+" trixie main", signed+" trixie-security main", "deb http://127.0.0.2:1 trixie main")
	got, err := download(t, cfg, cloud)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range got.Files {
		files = append(files, filepath.Base(f))
	}
	want := apt.Result{Package: "linux-image-6.1.0-2-cloud-amd64", Version: "6.1.2-1"}
	if got.Package != want.Package || got.Version != want.Version {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"linux-image-6.1.0-2-cloud-amd64_6.1.2-1_amd64.deb", "linux-modules-6.1.0-2-cloud-amd64_6.1.2-1_amd64.deb"}, files); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDownloadRefuses(t *testing.T) {
	t.Parallel()
	need(t, "apt-get", "apt-cache", "gpg", "gpgv")
	s, forger := newSigner(t, "debian"), newSigner(t, "debian")
	for name, c := range map[string]struct {
		spoil func(a archive)
		req   apt.Request
		code  model.Code
	}{
		"package changed": {func(a archive) {
			path := "/pool/linux-image-6.1.0-2-cloud-amd64_6.1.2-1_amd64.deb"
			a[path] = strings.Replace(a[path], "CONFIG_PVH=y", "CONFIG_PVH=n", 1)
		}, cloud, model.CodeIntegrity},
		"package list changed": {func(a archive) {
			path := "/dists/bookworm-security/main/binary-amd64/Packages"
			a[path] = strings.Replace(a[path], "6.1.2-1", "6.1.3-1", 1)
		}, cloud, model.CodeIntegrity},
		"signed by another": {func(a archive) {
			a.addSuite(t, forger, "Debian", "bookworm-security", "")
		}, cloud, model.CodeIntegrity},
		"not signed": {func(a archive) {
			a["/dists/bookworm/InRelease"] = "Origin: Debian\n"
		}, cloud, model.CodeIntegrity},
		"release not on the mirror": {func(a archive) { delete(a, "/dists/bookworm/InRelease") }, cloud, model.CodeNotFound},
		"package not in the release": {func(archive) {},
			apt.Request{Distro: "debian", Suite: "bookworm", Package: "linux-image-none"}, model.CodeNotFound},
		"not a kernel": {func(a archive) {
			a.addSuite(t, s, "Debian", "bookworm", a.addPackage("hello", "1", "libc6", nil))
		}, apt.Request{Distro: "debian", Suite: "bookworm", Package: "hello"}, model.CodeNotFound},
		"no mirror of the distribution": {func(archive) {},
			apt.Request{Distro: "ubuntu", Suite: "noble", Package: "linux-image-virtual"}, model.CodeUnsupported},
		"another distribution's host": {func(archive) {},
			apt.Request{Distro: "ubuntu", Package: "linux-image-virtual"}, model.CodeUnsupported},
	} {
		a := debianArchive(t, s)
		c.spoil(a)
		signed := "deb [signed-by=" + filepath.Join(s.keyring, "debian-archive-keyring.gpg") + "] " + a.serve(t)
		_, err := download(t, host(t, s, "amd64", signed+" trixie main", signed+" trixie-security main"), c.req)
		if model.CodeOf(err) != c.code {
			t.Errorf("%s: got %v of code %q, want %q", name, err, model.CodeOf(err), c.code)
		}
	}
}

// TestDownloadFromNowhere: a mirror that refuses and one that never answers
// are both unreachable.
func TestDownloadFromNowhere(t *testing.T) {
	t.Parallel()
	need(t, "apt-get", "gpg", "gpgv")
	s := newSigner(t, "debian")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, url := range []string{"http://127.0.0.1:1", "http://" + silent.Addr().String()} {
		began := time.Now()
		_, err := download(t, host(t, s, "amd64", "deb "+url+" bookworm main"), cloud)
		if model.CodeOf(err) != model.CodeUnreachable || model.HintOf(err) == "" {
			t.Errorf("%s: got %v of code %q", url, err, model.CodeOf(err))
		}
		t.Logf("%s: known after %v", url, time.Since(began))
	}
}
