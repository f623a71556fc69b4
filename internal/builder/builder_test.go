package builder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"banger/internal/builder"
	"banger/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// install makes a program of a shell script in a directory of its own, which
// stands in for an engine. $out is a directory for what it writes.
func install(t *testing.T, name, script string) (builder.Finder, string) {
	t.Helper()
	bin, out := t.TempDir(), t.TempDir()
	text := "#!/bin/sh\nout='" + out + "'\nPATH=/usr/bin:/bin\n" + script
	// A process that is forked meanwhile would keep the file open for writing:
	// "text file busy".
	syscall.ForkLock.RLock()
	err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return builder.Finder{Path: "relative:" + bin}, out
}

// find installs a script that also tells a version.
func find(t *testing.T, name, script string) (builder.Engine, string) {
	t.Helper()
	finder, out := install(t, name, "case $1 in version|info|--version) echo "+name+" version 9.8.7 '(x)'; exit;; esac\n"+script)
	engine, err := finder.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return engine, out
}

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestArguments(t *testing.T) {
	t.Parallel()
	full := builder.Build{
		Context: "/c", Dockerfile: "/c/-D", Target: "--x", Args: []string{"A=b c", "-v=1"}, NoCache: true, Network: model.NetNone, Tag: "localhost/banger/web",
	}
	least := builder.Build{Context: "/c", Dockerfile: "/c/Dockerfile", Network: model.NetUser, Tag: "t"}
	rest := "--target=--x|--build-arg=A=b c|--build-arg=-v=1|--no-cache|--network=none|/c"
	for _, tt := range []struct {
		engine string
		build  builder.Build
		want   string
	}{
		{"docker", full, "build|--iidfile=/id|--tag=localhost/banger/web|--file=/c/-D|" + rest},
		{"podman", full, "build|--iidfile=/id|--tag=localhost/banger/web|--file=/c/-D|" + rest},
		{"buildah", full, "build|--iidfile=/id|--tag=localhost/banger/web|--file=/c/-D|--layers|" + rest},
		{"docker", least, "build|--iidfile=/id|--tag=t|--file=/c/Dockerfile|/c"},
	} {
		got := builder.Engine{Name: tt.engine}.Arguments(tt.build, "/id")
		if d := cmp.Diff(tt.want, strings.Join(got, "|")); d != "" {
			t.Errorf("%s: %s", tt.engine, d)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"docker": "version --format={{.Server.Version}}", "podman": "info --format={{.Version.Version}}", "buildah": "--version"} {
		finder, out := install(t, name, "echo \"$*\" >$out/argv; echo "+name+" version 9.8.7 '(x)'\n")
		engine, err := finder.Find(t.Context(), name)
		argv, _ := os.ReadFile(out + "/argv")
		if err != nil || engine.String() != name+" 9.8.7" || strings.TrimSpace(string(argv)) != want {
			t.Errorf("%+v, %v, asked by %q", engine, err, argv)
		}
		if any, found := finder.Any(t.Context()); !found || any != engine {
			t.Errorf("any: %+v", any)
		}
	}
}

func TestFindFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ script, want string }{
		"there is none":     {"", "not on the PATH"},
		"no daemon":         {"echo 'Cannot connect\033[2J' >&2; exit 1\n", `Cannot connect\x1b[2J`},
		"no version":        {"echo none\n", "does not tell its version"},
		"more than is read": {"yes 1.2.3\n", "too much output"},
	} {
		finder := builder.Finder{Path: t.TempDir()}
		if tt.script != "" {
			finder, _ = install(t, "docker", tt.script)
		}
		_, err := finder.Find(t.Context(), "docker")
		if model.CodeOf(err) != model.CodeUnsupported || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
		if any, found := finder.Any(t.Context()); found {
			t.Errorf("%s: found %+v", name, any)
		}
	}
}

// writeID is the part of a stand-in that keeps what --iidfile asks for.
const writeID = "for a; do case $a in --iidfile=*) file=${a#--iidfile=};; esac; done\n"

func TestBuild(t *testing.T) {
	t.Parallel()
	engine, out := find(t, "podman", writeID+"for a; do echo \"$a\"; done >$out/argv; pwd; echo to stderr >&2; echo sha256:"+id+" >$file\n")
	dir, context := t.TempDir(), t.TempDir()
	var log bytes.Buffer
	b := builder.Build{Context: context, Dockerfile: context + "/Dockerfile", Tag: "t"}
	got, err := engine.Build(t.Context(), b, dir, &log)
	if err != nil || got != id {
		t.Fatalf("%q, %v", got, err)
	}
	for _, want := range []string{context + "\n", "to stderr\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %q lacks %q", log.String(), want)
		}
	}
	argv, _ := os.ReadFile(out + "/argv")
	if d := cmp.Diff(engine.Arguments(b, dir+"/image-id"), strings.Split(strings.TrimSpace(string(argv)), "\n")); d != "" {
		t.Error(d)
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script, want string
		failed       bool
	}{
		"a step":         {"echo no such file >&2; exit 7\n", "docker ended with exit status 7", true},
		"a signal":       {"kill -9 $$\n", "signal: killed", true},
		"no id":          {"exit 0\n", "reading the id", false},
		"a strange id":   {"printf '../../x' >$file\n", "is none", false},
		"an endless id":  {"yes | head -c 100000 >$file\n", "is none", false},
		"endless output": {"yes | head -c 3000000; exit 1\n", "exit status 1", true},
	} {
		engine, _ := find(t, "docker", writeID+tt.script)
		var log counter
		_, err := engine.Build(t.Context(), builder.Build{Context: t.TempDir(), Dockerfile: "/d"}, t.TempDir(), &log)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, builder.ErrFailed) != tt.failed {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
		if name == "endless output" && log != 3000000 {
			t.Errorf("%d bytes came", log)
		}
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TestBuildCanceled: the engine and what it has started are ended, also when
// they take no notice of being asked.
func TestBuildCanceled(t *testing.T) {
	t.Parallel()
	engine, out := find(t, "docker", "sleep 1000 & echo $! >$out/child; echo $$ >$out/pid.new; mv $out/pid.new $out/pid; wait\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := engine.Build(ctx, builder.Build{Context: t.TempDir(), Dockerfile: "/d"}, t.TempDir(), io.Discard)
		ended <- err
	}()
	pid := awaitPID(t, out+"/pid")
	child := awaitPID(t, out+"/child")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want that it was canceled", err)
	}
	awaitGone(t, pid, child)
}

func awaitPID(t *testing.T, path string) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return pid
		}
	}
	t.Fatalf("%s does not come", path)
	return 0
}

// awaitGone waits until no process runs any more; a zombie does not.
func awaitGone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		running := true
		for deadline := time.Now().Add(10 * time.Second); running && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
			running = err == nil && !bytes.Contains(stat, []byte(") Z ")) && unix.Kill(pid, 0) == nil
		}
		if running {
			t.Errorf("process %d still runs", pid)
		}
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"docker": "save " + id, "podman": "save " + id, "buildah": "push --quiet " + id + " docker-archive:/dev/stdout"} {
		engine, out := find(t, name, "echo \"$*\" >$out/argv; echo an archive\n")
		r, err := engine.Save(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || string(got) != "an archive\n" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if argv, _ := os.ReadFile(out + "/argv"); strings.TrimSpace(string(argv)) != want {
			t.Errorf("%s: %q", name, argv)
		}
	}
	engine, _ := find(t, "docker", "echo part; printf 'no space\\033[0m' >&2; exit 1\n")
	r, err := engine.Save(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), `no space\x1b[0m`) {
		t.Errorf("a save that breaks off: %v", err)
	}
}
