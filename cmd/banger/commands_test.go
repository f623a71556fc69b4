package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// allCommands returns every command of the command line.
func allCommands(t *testing.T) []*cobra.Command {
	t.Helper()
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(newTestApp(newFakeDaemon(), nil, io.Discard, io.Discard)))
	if len(all) < 40 {
		t.Fatalf("only %d commands found", len(all))
	}
	return all
}

// verbsOnly drops nouns, topics and the root, which do nothing themselves.
func verbsOnly(all []*cobra.Command) []*cobra.Command {
	var verbs []*cobra.Command
	for _, c := range all {
		if c.Runnable() && !c.HasSubCommands() && c.Name() != "help" {
			verbs = append(verbs, c)
		}
	}
	return verbs
}

func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	for _, c := range allCommands(t) {
		path := c.CommandPath()
		if c.Short == "" || c.Short != strings.ToLower(c.Short[:1])+c.Short[1:] && !strings.HasPrefix(c.Short, "VM") || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short %q: want a lower-case initial and no period", path, c.Short)
		}
		if c.Runnable() && !strings.Contains(c.Example, "banger") {
			t.Errorf("%s: no example", path)
		}
	}
	for _, c := range verbsOnly(allCommands(t)) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		code, help, _ := banger(t, newFakeDaemon(), args...)
		if code != exitOK || !strings.Contains(help, "\nExit status: ") || !strings.Contains(help, "banger help exit-codes") {
			t.Errorf("%s --help: exit code %d, help %q: want its exit codes", c.CommandPath(), code, help)
		}
	}
}

// TestEveryFlagIsWorded holds the help of flags to the rules of tui.go.
func TestEveryFlagIsWorded(t *testing.T) {
	t.Parallel()
	flagLine := regexp.MustCompile(`(?m)^ +(-\w, )?--([\w-]+).*?  +(.*)$`)
	for _, c := range allCommands(t) {
		for _, m := range flagLine.FindAllStringSubmatch(c.LocalFlags().FlagUsages(), -1) {
			usage := m[3]
			if usage == "" || strings.HasSuffix(usage, ".") {
				t.Errorf("%s --%s: help %q", c.CommandPath(), m[2], usage)
			}
		}
	}
}

// TestExamplesParse runs each example's banger command, to see that it is no
// usage error.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`banger ([^|>)#]*)`)
	for _, c := range allCommands(t) {
		example := strings.ReplaceAll(c.Example, "\\\n", " ")
		for line := range strings.Lines(example) {
			m := words.FindStringSubmatch(line)
			if m == nil || strings.Contains(line, "$(") || strings.Contains(line, "-it") {
				continue
			}
			code, _, stderr := banger(t, newFakeDaemon(), strings.Fields(m[1])...)
			if code == exitUsage || strings.Contains(stderr, "--help") {
				t.Errorf("%s: example %q: exit code %d, %s", c.CommandPath(), strings.TrimSpace(line), code, stderr)
			}
		}
	}
}

// noJSON marks the one verb that has no answer: it is a terminal.
const noJSON = "none"

// jsonArgs are the arguments that each verb is run with to see its JSON.
var jsonArgs = map[string]string{
	"run": "debian echo hi", "create": "", "start": "a", "stop": "a", "kill": "b", "restart": "a",
	"delete": "a", "list": "", "show": "a", "logs": "a", "exec": "a echo hi",
	"reset": "a", "rebase": "a debian",
	"pause": "b", "resume": "b", "rename": "a c", "set": "-c 2 a", "wait": "a", "prune": "--force",
	"stats": "--no-stream --interval 100ms", "top": "--interval 100ms", "health": "b", "ports": "b",
	"console": noJSON,
	"events":  "--no-follow --filter noun=vm", "system events": "--no-follow --filter noun=vm", // one event: each is a value
	"image pull": "alpine", "image import": "f", "image list": "", "image show": "img", "image diff": "img img", "image delete": "img",
	"image history": "img", "image register": "--rootfs f mine", "image promote": "img", "image tag": "img two",
	"image verify": "img", "image push": "img 127.0.0.1:5000/x", "image prune": "--dry-run", "commit": "a new",
	"image build": "mine --from img", "image log": "img", "image packages": "img",
	"image export":     noJSON, // it writes a file: TestImageExport
	"image cache list": "", "image cache prune": "", "image cache verify": "",
	"kernel list": "", "kernel pull": "", "kernel import": "--kernel-path f mine",
	"kernel default": "", "kernel push": "debian-12 127.0.0.1:5000/k", "kernel prune": "--dry-run",
	"kernel build": "", "kernel test": "",
	"kernel show": "debian-12", "kernel delete": "debian-12",
	"volume create": "logs", "volume list": "", "volume show": "data", "volume delete": "data",
	"volume prune": "--force", "volume resize": "data --size 20G",
	"operation list": "", "operation show": "4f1c", "operation watch": "4f1c", "operation cancel": "4f1c",
	"doctor": "--fix", "system check": "", "system df": "", "system prune": "",
	"config show": "", "system version": "", "system shutdown": "", "version": "", "completion": "bash", "docs": "",
}

// TestEveryCommandPrintsOneJSONValue runs every verb with --json.
func TestEveryCommandPrintsOneJSONValue(t *testing.T) {
	t.Parallel()
	for _, c := range verbsOnly(allCommands(t)) {
		path := strings.TrimPrefix(c.CommandPath(), "banger ")
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			line, ok := jsonArgs[strings.TrimPrefix(path, "vm ")]
			if !ok {
				t.Fatal("no row in jsonArgs")
			}
			if line == noJSON {
				return
			}
			d := newFakeDaemon()
			for _, args := range [][]string{{"create", "--name", "a"}, {"create", "--start", "--name", "b"}, {"image", "pull", "--name", "img", "x"}} {
				if code, _, stderr := banger(t, d, args...); code != exitOK {
					t.Fatal(stderr)
				}
			}
			args := append(strings.Fields(path), "--json")
			code, stdout, stderr := banger(t, d, append(args, strings.Fields(line)...)...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit code %d, stderr %q", code, stderr)
			}
			dec := json.NewDecoder(strings.NewReader(stdout))
			var v any
			if err := dec.Decode(&v); err != nil {
				t.Fatalf("%q: %v", stdout, err)
			}
			if err := dec.Decode(&v); err != io.EOF {
				t.Fatalf("%q: more than one value", stdout)
			}
		})
	}
}

// TestDocsAreCurrent compares docs/cli.md with what the commands say.
func TestDocsAreCurrent(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var generated bytes.Buffer
	newTestApp(newFakeDaemon(), nil, &generated, io.Discard).run(t.Context(), []string{"docs"})
	if diff := cmp.Diff(string(file), generated.String()); diff != "" {
		t.Errorf("docs/cli.md is not what 'go generate ./cmd/banger' writes (-file +generated):\n%s", diff)
	}
}
