package provision_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/provision"
)

func TestPlanOrder(t *testing.T) {
	t.Parallel()
	steps, err := provision.Plan(provision.Wishes{
		Packages: []string{"curl"}, Script: "s", ScriptName: "s.sh",
		Hooks: []provision.Hook{
			{When: provision.AfterScript, Name: "d", Script: "d"}, {When: provision.AfterTools, Name: "c", Script: "c"},
			{When: provision.BeforePackages, Name: "a", Script: "a"}, {When: provision.AfterPackages, Name: "b", Script: "b"},
			{When: provision.AfterScript, Name: "e", Script: "e"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var names, own []string
	for _, s := range steps {
		names = append(names, s.Name)
		if s.Own {
			own = append(own, s.Script)
		}
	}
	want := []string{
		"before-packages hook a", "packages", "after-packages hook b", "after-tools hook c", "script s.sh",
		"after-script hook d", "after-script hook e",
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	if got := strings.Join(own, ""); got != "abcsde" {
		t.Errorf("own scripts %q", got)
	}
}

func TestRefusedWishes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", provision.MaxScript/2+1)
	for says, w := range map[string]provision.Wishes{
		"no name of a package": {Packages: []string{"a;b"}},
		`package "-y"`:         {Packages: []string{"-y"}},
		"1025 packages":        {Packages: make([]string, 1025)},
		"is not known":         {Tools: []string{"emacs"}},
		"no such moment":       {Hooks: []provision.Hook{{When: "x"}}},
		"65 hooks":             {Hooks: make([]provision.Hook, 65)},
		"together":             {Script: long, Hooks: []provision.Hook{{When: provision.AfterScript, Script: long}}},
		"no text":              {Script: "\x00"},
		"longer than":          {Script: "x", ScriptName: long},
	} {
		_, err := provision.Plan(w)
		if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", says, err)
		}
	}
}

// TestFailedLines runs scripts on this host's shells, as guests do.
func TestFailedLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, says string }{
		"line 1":            {"false\n", "MARK 1"},
		"line 7":            {"echo\necho\necho\necho\necho\necho\nfalse\necho no\n", "MARK 7"},
		"exit":              {"echo\nif true; then\n  exit 4\nfi\n", "MARK 3"},
		"pipe":              {"echo\n\ntrue | false\n", "MARK 3"},
		"subshell":          {"echo\n(exit 9)\n", "MARK 2"},
		"substitution":      {"f() { return 0; }\nf\nx=$(false)\n", "MARK 3"},
		"after a loop":      {"for i in 1 2; do\n  test $i = 1 ||\n  true\ndone\nfalse\n", "MARK 5"},
		"no variable":       {"set -u\necho \"$none\"\n", "MARK 2"},
		"bash":              {"#!/bin/bash\nx=(a b)\n[[ ${x[1]} == a ]]\n", "MARK 3"},
		"no arguments":      {"test $# = 0\ntest -z \"$1\"\nfalse\n", "MARK 3"},
		"input is empty":    {"read -r x || :\ntest -z \"$x\"\nfalse\n", "MARK 3"},
		"in a function":     {"f() {\n  false\n}\nf\n", "MARK 2"},
		"a handled failure": {"false || true\nif false; then :; fi\n", ""},
	} {
		out, code := runScript(t, c.script)
		if got := marked(out); got != c.says || (code == 0) != (c.says == "") {
			t.Errorf("%s: %q, exit code %d, want %q", name, out, code, c.says)
		}
	}
}

// TestOtherScripts are no shell's, or no scripts.
func TestOtherScripts(t *testing.T) {
	t.Parallel()
	out, code := runScript(t, "#!/usr/bin/env -S cat\nbody\n")
	if code != 0 || !strings.Contains(out, "body") {
		t.Errorf("an interpreter: %q, %d", out, code)
	}
	if out, code = runScript(t, "if\n"); code == 0 || marked(out) != "" {
		t.Errorf("no script: %q, %d", out, code)
	}
}

// runScript runs a script as a guest does and returns what it says.
func runScript(t *testing.T, script string) (out string, code int) {
	t.Helper()
	argv := provision.RunCommand("MARK", script)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdin = strings.NewReader(script)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	_ = cmd.Run() // its exit code is looked at
	return b.String(), cmd.ProcessState.ExitCode()
}

func marked(out string) string {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "MARK") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestProvisionScript lets it call package managers that only tell.
func TestProvisionScript(t *testing.T) {
	t.Parallel()
	for manager, want := range map[string]string{
		"apt-get": "apt-get update\napt-get install -y --no-install-recommends a b=1\napt-get clean\nrm -rf /var/lib/apt/lists/*\n",
		"apk":     "apk add --no-cache a b=1\n",
		"dnf":     "dnf install -y --setopt=install_weak_deps=False a b=1\ndnf clean all\n",
		"none":    "this image has no apt-get, apk or dnf to install packages with\n",
	} {
		bin := t.TempDir()
		for _, name := range []string{manager, "rm"} {
			tell := "#!/bin/sh\necho \"" + name + " $*\"\n"
			if err := os.WriteFile(filepath.Join(bin, name), []byte(tell), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-ef", "-c", provision.BuildProvisionScript([]string{"a", "b=1"}))
		cmd.Env = []string{"PATH=" + bin}
		out, err := cmd.CombinedOutput()
		if string(out) != want || (err != nil) != (manager == "none") {
			t.Errorf("%s: %q, %v", manager, out, err)
		}
	}
	if provision.BuildProvisionScript(nil) != "" {
		t.Error("no packages are no script")
	}
}

func TestModulesCommand(t *testing.T) {
	t.Parallel()
	argv := provision.BuildModulesCommand("no-such-release; false")
	if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("without modules: %s, %v", out, err)
	}
}
