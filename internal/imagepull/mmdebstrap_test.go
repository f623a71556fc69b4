package imagepull_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// fakeMmdebstrap is a program that behaves as script says and leaves its
// arguments beside itself.
func fakeMmdebstrap(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mmdebstrap")
	script = "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$0.args\"\necho \"$SOURCE_DATE_EPOCH\" >>\"$0.args\"\n" + script
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// offline is a transport that finds no host.
func offline() http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		return nil, &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
	})
}

func pullDefault(t *testing.T, r *rig) (*imagepull.Image, imagepull.Built, error) {
	t.Helper()
	ref, err := imagepull.ParseRef(imagepull.DefaultRef())
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.Resolve(context.Background(), ref, "", r.report)
	if err != nil {
		return nil, imagepull.Built{}, err
	}
	built, err := r.BuildExt4(context.Background(), img, filepath.Join(r.dir, "rootfs"), imagepull.BuildOptions{Stage: func(string) {}}, r.report)
	return img, built, err
}

func TestMmdebstrapStandsInForTheRegistry(t *testing.T) {
	t.Parallel()
	layer := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(layer, archive(t, file("./etc/debian_version", "12\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	program := fakeMmdebstrap(t, "echo 'I: running apt-get update...' >&2\necho 'I: success in 1 second' >&2\ncat "+layer)
	r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap = offline(), program })
	began := time.Now()
	img, built, err := pullDefault(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the registry was left after %v", took)
	}
	if img.Source.Kind != imagepull.KindMmdebstrap || img.Source.Reference != "debian:bookworm" || len(built.Layers) != 1 || img.Config.Architecture != runtime.GOARCH {
		t.Errorf("source %+v, layers %v", img.Source, built.Layers)
	}
	notes := strings.Join(r.notes, "\n")
	for _, want := range []string{"cannot be reached: trying mmdebstrap", "mmdebstrap: running apt-get update..."} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q lack %q", notes, want)
		}
	}
	args, err := os.ReadFile(program + ".args")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--variant=minbase\n", "--format=tar\n", "--include=ca-certificates\n", "bookworm\n-\n1686355200\n"} {
		if !strings.Contains(string(args), want) {
			t.Errorf("arguments %q lack %q", args, want)
		}
	}
}

// Only an unreachable registry is passed over: one that refuses has spoken.
func TestRegistryThatRefusesIsNotPassedOver(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]model.Code{403: model.CodeUnauthorized, 404: model.CodeNotFound} {
		program := fakeMmdebstrap(t, "exit 1")
		r := newRig(t, func(c *imagepull.Config) {
			c.Mmdebstrap = program
			c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				answer := &http.Response{StatusCode: status, Body: http.NoBody, Request: r, Header: http.Header{}}
				if r.URL.Path == "/v2/" {
					answer.StatusCode = 200
				}
				return answer, nil
			})
		})
		if _, _, err := pullDefault(t, r); model.CodeOf(err) != code {
			t.Errorf("%d: error %v (%s), want %s", status, err, model.CodeOf(err), code)
		}
		if _, err := os.Stat(program + ".args"); err == nil {
			t.Errorf("%d: mmdebstrap ran", status)
		}
	}
}

func TestMmdebstrapFails(t *testing.T) {
	t.Parallel()
	cases := []struct {
		says string
		code model.Code
		hint string
	}{
		{"E: Could not resolve 'mirror.example'", model.CodeUnreachable, "network"},
		{"W: GPG error: NO_PUBKEY 0123", model.CodeIntegrity, "debian-archive-keyring"},
		{"E: unshare: no subuid", model.CodeUnsupported, "/etc/subuid"},
		{"E: something else", model.CodeUnsupported, ""},
	}
	for _, c := range cases {
		program := fakeMmdebstrap(t, fmt.Sprintf("echo %q >&2\nexit 25", c.says))
		r := newRig(t, func(cfg *imagepull.Config) { cfg.Transport, cfg.Mmdebstrap = offline(), program })
		_, _, err := pullDefault(t, r)
		if model.CodeOf(err) != c.code || !strings.Contains(model.HintOf(err), c.hint) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: error %v (%s, hint %q)", c.says, err, model.CodeOf(err), model.HintOf(err))
		}
	}
	r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap = offline(), "/nonexistent/mmdebstrap" })
	if _, _, err := pullDefault(t, r); model.CodeOf(err) != model.CodeUnsupported || !strings.Contains(model.HintOf(err), "apt install mmdebstrap") {
		t.Errorf("not installed: %v (%s, hint %q)", err, model.CodeOf(err), model.HintOf(err))
	}
}

// An archive that ends well does not make up for a failure.
func TestMmdebstrapFailsAtTheEnd(t *testing.T) {
	t.Parallel()
	layer := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(layer, archive(t, file("a", "1")), 0o600); err != nil {
		t.Fatal(err)
	}
	program := fakeMmdebstrap(t, "cat "+layer+"\nexit 1")
	r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap = offline(), program })
	if _, _, err := pullDefault(t, r); err == nil {
		t.Error("no error")
	}
}

// TestMmdebstrapLeavesNoTemporaryFiles: however mmdebstrap ends, what it has
// left in its directory goes, and so does what an earlier daemon left.
func TestMmdebstrapLeavesNoTemporaryFiles(t *testing.T) {
	t.Parallel()
	layer := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(layer, archive(t, file("a", "1")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"cat " + layer, "exit 1", "kill -KILL $$"} {
		program := fakeMmdebstrap(t, "echo \"$TMPDIR\" >\"$0.tmp\"; [ \"$(stat -c %a \"$TMPDIR\")\" = 711 ] || exit 2; mkdir \"$TMPDIR/root\"; echo x >\"$TMPDIR/root/x\"\n"+end)
		r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap = offline(), program })
		earlier := leaveScratch(t, r)
		if _, _, err := pullDefault(t, r); (err == nil) != strings.HasPrefix(end, "cat") {
			t.Errorf("%s: %v", end, err)
		}
		dir, err := os.ReadFile(program + ".tmp")
		if err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{strings.TrimSpace(string(dir)), earlier} {
			if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: left %s: %v", end, gone, err)
			}
		}
		if left := r.files(t, "scratch"); len(left) > 0 {
			t.Errorf("%s: left %v", end, left)
		}
	}
}

// leaveScratch leaves what a daemon leaves that is killed while a program has
// temporary files.
func leaveScratch(t *testing.T, r *rig) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "scratch")
	if err := os.MkdirAll(filepath.Join(dir, "root"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(r.dir, "oci", "scratch", "banger-earlier")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSweepLeavesWhatIsInUse sweeps while mmdebstrap is at work.
func TestSweepLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, err := imagepull.OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	layer := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(layer, archive(t, file("a", "1")), 0o600); err != nil {
		t.Fatal(err)
	}
	program := fakeMmdebstrap(t, "mkfifo \"$TMPDIR/wait\"; ln -s \"$TMPDIR\" \"$0.at\"; read -r _ <\"$TMPDIR/wait\" && cat "+layer)
	r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap, c.Cache = offline(), program, cache })
	pulled := make(chan error)
	go func() {
		_, _, err := pullDefault(t, r)
		pulled <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(program + ".at"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("mmdebstrap never began")
		}
	}
	if err := cache.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(program+".at", "wait"), []byte("go\n"), 0); err != nil {
		t.Error(err)
	}
	if err := <-pulled; err != nil {
		t.Error(err)
	}
}

func TestRealMmdebstrap(t *testing.T) {
	if testing.Short() {
		t.Skip("short: mmdebstrap takes a minute")
	}
	program := needs(t, "mmdebstrap")
	r := newRig(t, func(c *imagepull.Config) { c.Transport, c.Mmdebstrap = offline(), program })
	_, built, err := pullDefault(t, r)
	if code := model.CodeOf(err); code == model.CodeUnreachable || code == model.CodeUnsupported {
		t.Skipf("no Debian mirror or no right to run mmdebstrap: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %d used, notes %q", built.SizeBytes, built.UsedBytes, r.notes)
}
