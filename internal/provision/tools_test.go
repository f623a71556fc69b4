package provision_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/provision"
)

// TestToolsAreShell checks that what each tool runs is text of a shell, of one
// version and with nothing left open.
func TestToolsAreShell(t *testing.T) {
	t.Parallel()
	for _, tool := range provision.Tools() {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-n")
		cmd.Stdin = strings.NewReader(toolScript(t, tool.Name))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %s, %v", tool.Name, out, err)
		}
		if pinned := provision.Pinned([]string{tool.Name}); pinned[0] != tool.Name+" "+tool.Version || tool.Version == "" {
			t.Errorf("pinned %q", pinned)
		}
	}
}

func toolScript(t *testing.T, name string) string {
	t.Helper()
	steps, err := provision.Plan(provision.Wishes{Tools: []string{name}})
	if err != nil || len(steps) != 1 || steps[0].Own || steps[0].Name != "tool "+name {
		t.Fatalf("%s: %+v, %v", name, steps, err)
	}
	return steps[0].Script
}

// TestAnotherDownload lets a tool's download be something else, or nothing.
func TestAnotherDownload(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tool, curl, npm, says string }{
		{"mise", `while [ "$1" != -o ]; do shift; done; echo another >"$2"`, "exit 1", "mise 2026.9.15 is not what it should be"},
		{"codex", "exit 1", "echo another >codex-1.tgz", "codex 0.169.0 is not what it should be"},
		{"claude", "exit 1", "echo no such host; exit 1", "npm cannot download @anthropic-ai/claude-code-linux-x64@2.1.330"},
	} {
		temp := t.TempDir()
		bin := programs(t, map[string]string{"curl": c.curl, "npm": c.npm})
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-e", "-c", toolScript(t, c.tool))
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + temp}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: %s, %v", c.tool, out, err)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("%s: left over: %v", c.tool, left)
		}
	}
}

// TestToolsAnswer installs tools whose downloads are taken for the right ones,
// with a /usr/local of the test's own, and runs them.
func TestToolsAnswer(t *testing.T) {
	t.Parallel()
	if exec.CommandContext(t.Context(), "unshare", "-rm", "mount", "-t", "tmpfs", "none", "/usr/local").Run() != nil {
		t.Skip("no namespace of mounts")
	}
	for tool, path := range map[string]string{
		"mise": "", "opencode": "opencode", "claude": "package/claude", "codex": "package/vendor/x86_64-unknown-linux-musl/bin/codex",
	} {
		download := filepath.Join(t.TempDir(), "download")
		if err := os.WriteFile(download, toolArchive(t, path, "#!/bin/sh\necho "+tool+" answers\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		bin := programs(t, map[string]string{
			"curl":      `while [ "$1" != -o ]; do shift; done; cp ` + download + ` "$2"`,
			"npm":       "cp " + download + " tool-1.tgz",
			"sha256sum": "true",
		})
		const inside = `mount -t tmpfs none /usr/local; sh -e -c "$1"; /usr/local/bin/"$2"; sh -e -c "$1"; /usr/local/bin/"$2"`
		cmd := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-e", "-c", inside, "sh", toolScript(t, tool), tool)
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), tool+" answers") != 2 {
			t.Errorf("%s: %s, %v", tool, out, err)
		}
	}
}

// toolArchive is a .tar.gz with a program at path, the program itself if path
// is empty.
func toolArchive(t *testing.T, path, program string) []byte {
	t.Helper()
	if path == "" {
		return []byte(program)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// programs is a directory of scripts, to stand before others on PATH.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh -e\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
