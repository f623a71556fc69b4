package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/image"
	"banger/internal/model"
	"banger/internal/rpc"
)

// tarOf makes an archive of files.
func tarOf(t *testing.T, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// savedImage is what docker save writes of an image with one file.
func savedImage(t *testing.T, text string) []byte {
	t.Helper()
	layer := tarOf(t, [2]string{"x", text})
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Cmd":["/x"]},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, sha256.Sum256(layer))
	manifest, err := json.Marshal([]map[string]any{{"Config": "c.json", "Layers": []string{"l.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, [2]string{"c.json", config}, [2]string{"l.tar", string(layer)}, [2]string{"manifest.json", string(manifest)})
}

// engineRig builds with a stand-in for podman, which saves what is in saved.
type engineRig struct {
	*buildRig
	saved string // file
}

const standIn = `#!/bin/sh
PATH=/usr/bin:/bin
case $1 in
info) echo 9.8.7; exit ;;
save) cat '%s'; exit ;;
esac
for a; do case $a in --iidfile=*) file=${a#--iidfile=};; --file=*) sed -n 's/^FROM text/text: &/p' "${a#--file=}";; --target=bad) echo 'no stage \033[2J'; exit 3;; esac; done
echo "args: $*"
echo 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >"$file"
`

func newEngineRig(t *testing.T, archive []byte) *engineRig {
	t.Helper()
	bin := t.TempDir()
	e := &engineRig{saved: filepath.Join(bin, "saved.tar")}
	e.save(t, archive)
	// A process that is forked meanwhile would keep the file open for writing:
	// "text file busy".
	syscall.ForkLock.RLock()
	err := os.WriteFile(filepath.Join(bin, "podman"), fmt.Appendf(nil, standIn, e.saved), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	e.buildRig = newBuildRig(t)
	e.cfg.Builders.Path = bin
	e.Service = image.New(e.cfg)
	return e
}

func (e *engineRig) save(t *testing.T, archive []byte) {
	t.Helper()
	if err := os.WriteFile(e.saved, archive, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e *engineRig) build(t *testing.T, p rpc.DockerfileBuildParams, report model.Report) (model.Image, error) {
	t.Helper()
	if p.Name = "web"; p.Text != "" {
		p.Context = t.TempDir()
		return e.BuildDockerfile(t.Context(), p, report)
	}
	// What banger itself refuses is the engine's to read.
	p.Context = writeContext(t, map[string]string{"Dockerfile": "FROM x\nHEALTHCHECK NONE\n"})
	return e.BuildDockerfile(t.Context(), p, report)
}

// TestTextByEngine: the engine is given a file with the text.
func TestTextByEngine(t *testing.T) {
	t.Parallel()
	e := newEngineRig(t, savedImage(t, "1"))
	if _, err := e.build(t, rpc.DockerfileBuildParams{Builder: "podman", Dockerfile: "-", Text: "FROM text\n"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if err := e.ImageLog(t.Context(), rpc.NameParams{Name: "web"}, &log); err != nil || !strings.Contains(log.String(), "text: FROM text") {
		t.Errorf("the log is %q, %v", log.String(), err)
	}
}

func TestBuildByEngine(t *testing.T) {
	t.Parallel()
	e := newEngineRig(t, savedImage(t, "1"))
	img, err := e.build(t, rpc.DockerfileBuildParams{Builder: "podman", BuildArgs: []string{"A=b c"}}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := readFrom(t, img, "/x"); got != "1" || !cmp.Equal(img.Config.Cmd, []string{"/x"}) || len(img.Source.Layers) != 1 {
		t.Errorf("/x is %q of %+v", got, img)
	}
	if r := img.Source.Build; r.Builder != "podman 9.8.7" || r.Dockerfile != "Dockerfile" || img.Source.Kind != image.KindBuild {
		t.Errorf("record %+v", r)
	}
	var log bytes.Buffer
	if err := e.ImageLog(t.Context(), rpc.NameParams{Name: "web"}, &log); err != nil || !strings.Contains(log.String(), "--build-arg=A=b c") {
		t.Errorf("log %q, %v", log.String(), err)
	}
	same, err := e.build(t, rpc.DockerfileBuildParams{Builder: "podman"}, model.Discard)
	if err != nil || same.ID != img.ID {
		t.Errorf("built again: %s, %v; want the same image", same.ID, err)
	}
	e.save(t, savedImage(t, "2"))
	other, err := e.build(t, rpc.DockerfileBuildParams{Builder: "podman"}, model.Discard)
	if err != nil || readFrom(t, other, "/x") != "2" {
		t.Errorf("changed: %+v, %v", other, err)
	}
	if d := cmp.Diff([]string{"base", "web"}, e.names(t)); d != "" {
		t.Error(d)
	}
}

func TestBuildByAnyEngine(t *testing.T) {
	t.Parallel()
	e := newEngineRig(t, savedImage(t, "1"))
	var mu sync.Mutex
	var notes []string
	report := func(p model.Progress) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, p.Note)
	}
	img, err := e.build(t, rpc.DockerfileBuildParams{Builder: "auto"}, report)
	if err != nil || img.Source.Build.Builder != "podman 9.8.7" || !strings.Contains(strings.Join(notes, "\n"), "builder: podman 9.8.7") {
		t.Errorf("%+v, %v; notes %q", img.Source.Build, err, notes)
	}
	// Only banger's own builder honours it, and that does not know HEALTHCHECK.
	if _, err = e.build(t, rpc.DockerfileBuildParams{Builder: "auto", MemoryMiB: 512}, report); model.CodeOf(err) != model.CodeUnsupported {
		t.Errorf("with --memory: %v", err)
	}
}

func TestBuildByEngineFails(t *testing.T) {
	t.Parallel()
	e := newEngineRig(t, []byte("no archive"))
	for what, tt := range map[string]struct {
		params rpc.DockerfileBuildParams
		code   model.Code
		says   string
	}{
		"a step":        {rpc.DockerfileBuildParams{Builder: "podman", Target: "bad"}, model.CodeFailed, "the end of its log:\nno stage \\x1b[2J"},
		"no archive":    {rpc.DockerfileBuildParams{Builder: "podman"}, model.CodeIntegrity, "what podman has built"},
		"no docker":     {rpc.DockerfileBuildParams{Builder: "docker"}, model.CodeUnsupported, "not on the PATH"},
		"memory":        {rpc.DockerfileBuildParams{Builder: "podman", MemoryMiB: 512}, model.CodeInvalid, "--memory"},
		"processors":    {rpc.DockerfileBuildParams{Builder: "podman", CPUs: 1}, model.CodeInvalid, "--cpus"},
		"not a builder": {rpc.DockerfileBuildParams{Builder: "sh"}, model.CodeInvalid, `builder "sh"`},
	} {
		_, err := e.build(t, tt.params, model.Discard)
		if model.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %s %q", what, err, tt.code, tt.says)
		}
		e.wantNothing(t, what)
	}
}

// TestBuildByEngineOfThisHost takes in what the engines that are installed
// build, in a store of their own.
func TestBuildByEngineOfThisHost(t *testing.T) {
	store := t.TempDir()
	conf := "[storage]\ndriver = \"vfs\"\ngraphroot = \"" + store + "/g\"\nrunroot = \"" + store + "/r\"\n"
	if err := os.WriteFile(store+"/storage.conf", []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINERS_STORAGE_CONF", store+"/storage.conf") // containers-storage.conf(5)
	b := newBuildRig(t)
	for _, name := range []string{"podman", "buildah"} {
		t.Run(name, func(t *testing.T) {
			if _, err := b.cfg.Builders.Find(t.Context(), name); err != nil {
				t.Skip(err)
			}
			p := rpc.DockerfileBuildParams{Name: name, Builder: name, Target: "one", BuildArgs: []string{"WHAT=text"}, NoCache: true}
			p.Context = writeContext(t, map[string]string{
				"Dockerfile": "FROM scratch AS one\nARG WHAT\nCOPY --chown=7:8 x no /dir/\nENV A=$WHAT\nFROM one\nENV A=none\n", "x": "1", "no": "0", ".dockerignore": "no*x\n",
			})
			img, err := b.BuildDockerfile(t.Context(), p, model.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if got := readFrom(t, img, "/dir/x"); got != "1" || !slices.Contains(img.Config.Env, "A=text") {
				t.Errorf("/dir/x is %q, configuration %+v", got, img.Config)
			}
		})
	}
}
