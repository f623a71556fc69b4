package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

// builds runs 'banger image build' with a standard input and the files of dir.
func builds(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	dir := t.TempDir()
	for _, name := range []string{"hook.sh", "empty.sh", "large.sh"} {
		text := map[string]string{"hook.sh": "true\n", "large.sh": strings.Repeat("#", maxBuildText+1)}[name]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := newTestApp(newFakeDaemon(), strings.NewReader(stdin), &out, &talk)
	a.abs = func(path string) (string, error) { return filepath.Join(dir, path), nil }
	code = a.run(t.Context(), append([]string{"image", "build"}, args...))
	return code, out.String(), talk.String()
}

func TestImageBuild(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := builds(t, "make\n", "--json", "web", "--from", "debian", "--script", "-", "--package", "a,b",
		"--package", "c", "--with", "tmux", "--hook", "after-script=hook.sh", "--network", "none", "--size", "4G", "-m", "2G", "-c", "3")
	var got model.Image
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %q, %q, %v", code, stdout, stderr, err)
	}
	want := &model.BuildRecord{
		Base: "debian", Script: "-", Packages: []string{"a", "b", "c"}, Tools: []string{"tmux"},
		Hooks: []string{"after-script=hook.sh"}, Network: model.NetNone, Log: model.BuildLogFile,
	}
	if d := cmp.Diff(want, got.Source.Build); d != "" || got.SizeBytes != 4<<30 {
		t.Errorf("%d bytes, %s", got.SizeBytes, d)
	}
	if code, stdout, stderr = builds(t, "true\n", "web", "--from", "debian", "--script", "-"); stdout != "web\n" || !strings.Contains(stderr, "==> script -") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestImageBuildRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"web", exitUsage, "--from is missing"},
		{"--from debian", exitUsage, "NAME"},
		{"web --from debian --script none.sh", exitNotFound, "none.sh"},
		{"web --from debian --script empty.sh", exitUsage, "is empty"},
		{"web --from debian --script large.sh", exitError, "more than 256KiB"},
		{"web --from debian --hook hook.sh", exitUsage, "WHEN=FILE"},
		{"web --from debian --hook after-script=none.sh", exitNotFound, "none.sh"},
		{"web --from debian --memory 1000K", exitUsage, "whole MiB"},
		{"web --from debian --network host", exitUsage, "host"},
		{"web --from debian --script -", exitError, "line 7"},
	} {
		code, stdout, stderr := builds(t, "fail\n", strings.Fields(c.args)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d: %q, %q", c.args, code, c.code, stdout, stderr)
		}
	}
}

func TestImageBuildBuilder(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := builds(t, "", "--json", "-t", "web", "--builder", "podman", t.TempDir())
	var got model.Image
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || got.Source.Build.Builder != "podman" {
		t.Errorf("exit code %d, %q, %q, %v", code, stdout, stderr, err)
	}
	for _, args := range []string{"-t web --builder sh .", "--builder podman .", "web --from debian --builder podman"} {
		if code, _, stderr := builds(t, "", strings.Fields(args)...); code != exitUsage {
			t.Errorf("%s: exit code %d, %q", args, code, stderr)
		}
	}
}

func TestImageBuildDockerfileElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, path, text string }{
		{"ctx/docker/Dockerfile", "docker/Dockerfile", ""},
		{"ctx/../ctx/..data", "..data", ""},
		{"hook.sh", "hook.sh", "true\n"},
		{"-", "-", "FROM base\n"},
	} {
		code, stdout, stderr := builds(t, "FROM base\n", "--json", "-t", "web", "-f", c.file, "ctx")
		var got model.Image
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK {
			t.Errorf("%s: exit code %d, %q, %q, %v", c.file, code, stdout, stderr, err)
			continue
		}
		if b := got.Source.Build; b.Dockerfile != c.path || b.Script != c.text {
			t.Errorf("%s: path %q, text %q", c.file, b.Dockerfile, b.Script)
		}
	}
	for _, c := range []struct {
		file, stdin, says string
		code              int
	}{
		{"none.sh", "", "reading Dockerfile none.sh", exitNotFound},
		{"empty.sh", "", "Dockerfile empty.sh is empty", exitUsage},
		{"-", "FROM \xff\n", "is not UTF-8 text", exitUsage},
	} {
		if code, _, stderr := builds(t, c.stdin, "-t", "web", "-f", c.file, "ctx"); code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, %q", c.file, code, stderr)
		}
	}
}
