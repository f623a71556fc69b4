package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"os"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/rpc"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want int64
		err  string
	}{
		{"512M", 512 * mib, ""},
		{"512m", 512 * mib, ""},
		{"1G", gib, ""},
		{"1GB", gib, ""},
		{"2GiB", 2 * gib, ""},
		{"1.5g", 3 * gib / 2, ""},
		{"0.5K", 512, ""},
		{"3T", 3 * tib, ""},
		{"4096b", 4096, ""},
		{"512", 0, "the unit is missing: say 512M or 512G"},
		{"", 0, "not a size"},
		{"G", 0, "not a size"},
		{"-1G", 0, "not a size"},
		{"1e3M", 0, "not a size"},
		{"0x10M", 0, "not a size"},
		{" 1G", 0, "not a size"},
		{"1.G", 0, "not a size"},
		{"infG", 0, "not a size"},
		{"1Gi B", 0, "not a size"},
		{"1MM", 0, `unknown unit "MM"`},
		{"1iB", 0, `unknown unit "iB"`},
		{"0M", 0, "must be more than 0"},
		{"0.1b", 0, "must be more than 0"},
		{"9999999T", 0, "more than 1 EiB"},
		{strings.Repeat("9", 400) + "M", 0, "not a size"},
	} {
		got, err := parseSize(test.in)
		if !matches(err, test.err) || err == nil && got != test.want {
			t.Errorf("parseSize(%q) = %d, %v; want %d, %q", test.in, got, err, test.want, test.err)
		}
	}
}

func matches(err error, want string) bool {
	if want == "" || err == nil {
		return want == "" && err == nil
	}
	return strings.Contains(err.Error(), want)
}

func TestFormat(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	age := func(d time.Duration) string { return formatAge(epoch.Add(d), epoch) }
	for _, test := range []struct{ got, want string }{
		{formatSize(0), "0B"},
		{formatSize(1023), "1023B"},
		{formatSize(512 * mib), "512MiB"},
		{formatSize(3 * gib / 2), "1.5GiB"},
		{formatSize(2 * tib), "2TiB"},
		{formatMillis(0), "0ms"},
		{formatMillis(99), "99ms"},
		{formatMillis(3140), "3.1s"},
		{formatMillis(125_000), "2m05s"},
		{formatAge(epoch, time.Time{}), "-"},
		{age(-time.Hour), "now"},
		{age(time.Second), "1 second ago"},
		{age(59 * time.Minute), "59 minutes ago"},
		{age(3 * day), "3 days ago"},
		{age(21 * day), "3 weeks ago"},
		{age(90 * day), "3 months ago"},
		{age(800 * day), "2 years ago"},
		{clip("abcdef", 4), "abc…"},
		{clip("abc", 4), "abc"},
		{quoteArgs([]string{"sh", "-c", "a b", "", `"`}), `sh -c "a b" "" "\""`},
		{orList([]string{"a"}), "a"},
		{orList([]string{"a", "b", "c"}), "a, b or c"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestSplitCommand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line   string // after the flags
		object string
		argv   []string
	}{
		{"", "", nil},
		{"--", "", nil},
		{"-- cmd arg", "", []string{"cmd", "arg"}},
		{"img", "img", nil},
		{"img --", "img", nil},
		{"img cmd -x", "img", []string{"cmd", "-x"}},
		{"img -- cmd -x", "img", []string{"cmd", "-x"}},
		{"img -- -- x", "img", []string{"--", "x"}},
		{"img cmd -- x", "img", []string{"cmd", "--", "x"}},
		{"-d img --rm", "img", []string{"--rm"}},
		{"-- -- x", "", []string{"--", "x"}},
	} {
		d := newFakeDaemon()
		args := append([]string{"run"}, strings.Fields(test.line)...)
		banger(t, d, args...)
		if d.run.Create.Image != test.object {
			t.Errorf("run %s: image %q, want %q", test.line, d.run.Create.Image, test.object)
		}
		if diff := cmp.Diff(test.argv, d.run.Argv, equateEmpty); diff != "" {
			t.Errorf("run %s: command (-want +got):\n%s", test.line, diff)
		}
	}
}

var equateEmpty = cmp.Transformer("empty", func(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
})

func TestRunParams(t *testing.T) {
	t.Parallel()
	d := newFakeDaemon()
	banger(t, d, "run", "--rm", "-d", "-t", "-e", "A=1", "-w", "/src", "-u", "1:2", "-m", "1.5G", "-c", "3",
		"--name", "x", "--entrypoint", "/bin/ls", "--hostname", "h", "-l", "k=v", "--kernel", "tiny",
		"--network", "user", "--disk", "10G", "--pull", "never", "--driver", "qemu", "--platform", "linux/amd64",
		"img", "-l")
	want := rpc.VMRunParams{
		Create: rpc.VMCreateParams{
			Image: "img", Name: "x", CPUs: 3, MemoryMiB: 1536, DiskBytes: 10 * gib, Kernel: "tiny", Driver: "qemu",
			Network: model.NetUser, Hostname: "h", Env: []string{"A=1"}, WorkingDir: "/src", User: "1:2",
			Entrypoint: []string{"/bin/ls"}, Labels: map[string]string{"k": "v"}, AutoRemove: true,
			Pull: "never", Platform: "linux/amd64",
		},
		Argv: []string{"-l"}, TTY: true, Detach: true,
	}
	if diff := cmp.Diff(want, d.run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

func TestOtherParams(t *testing.T) {
	t.Parallel()
	d := newFakeDaemon()
	banger(t, d, "image", "pull", "--name", "n", "--kernel-path", "k", "--initrd-path", "i", "--modules-dir", "m",
		"--size", "2G", "--platform", "linux/arm64", "ref")
	wantPull := rpc.ImagePullParams{
		Ref: "ref", Name: "n", KernelPath: "/cwd/k", InitrdPath: "/cwd/i", ModulesDir: "/cwd/m",
		SizeBytes: 2 * gib, Platform: "linux/arm64",
	}
	if diff := cmp.Diff(wantPull, d.pull); diff != "" {
		t.Errorf("image pull (-want +got):\n%s", diff)
	}
	banger(t, d, "kernel", "import", "--kernel-path", "k", "--modules-dir", "m", "mine")
	if diff := cmp.Diff(rpc.KernelImportParams{Name: "mine", KernelPath: "/cwd/k", ModulesDir: "/cwd/m"}, d.imp); diff != "" {
		t.Errorf("kernel import (-want +got):\n%s", diff)
	}
	banger(t, d, "kernel", "import", "--package", "a.rpm", "--package", "b.rpm", "mine")
	if diff := cmp.Diff(rpc.KernelImportParams{Name: "mine", Packages: []string{"/cwd/a.rpm", "/cwd/b.rpm"}}, d.imp); diff != "" {
		t.Errorf("kernel import --package (-want +got):\n%s", diff)
	}
	banger(t, d, "kernel", "pull", "--name", "mine", "127.0.0.1:5000/tiny:1")
	if diff := cmp.Diff(rpc.KernelPullParams{Name: "mine", Ref: "127.0.0.1:5000/tiny:1"}, d.kpull); diff != "" {
		t.Errorf("kernel pull (-want +got):\n%s", diff)
	}
	banger(t, d, "stop", "a")
	if d.stop.GraceSeconds != nil {
		t.Errorf("stop: grace %d, want the daemon's default", *d.stop.GraceSeconds)
	}
	banger(t, d, "stop", "-t", "0", "a")
	if d.stop.GraceSeconds == nil || *d.stop.GraceSeconds != 0 {
		t.Errorf("stop -t 0: grace %v, want 0", d.stop.GraceSeconds)
	}
}

func TestResolveIO(t *testing.T) {
	t.Parallel()
	terminals := surroundings{stdinTerminal: true, stdoutTerminal: true}
	bare := surroundings{stdinTerminal: true, stdoutTerminal: true, bare: true}
	for _, test := range []struct {
		name  string
		flags ioFlags
		at    surroundings
		want  ioMode
		err   string
	}{
		{"a command", ioFlags{}, terminals, ioMode{}, ""},
		{"bare at a terminal", ioFlags{}, bare, ioMode{tty: true, stdin: true}, ""},
		{"bare with -i", ioFlags{interactive: true}, bare, ioMode{stdin: true}, ""},
		{"bare with -t", ioFlags{tty: true}, bare, ioMode{tty: true}, ""},
		{"bare with -d", ioFlags{detach: true}, bare, ioMode{detach: true}, ""},
		{"bare into a pipe", ioFlags{}, surroundings{stdinTerminal: true, bare: true}, ioMode{}, ""},
		{"-it", ioFlags{interactive: true, tty: true}, terminals, ioMode{tty: true, stdin: true}, ""},
		{"-it without a terminal", ioFlags{interactive: true, tty: true}, surroundings{}, ioMode{}, "standard input is none"},
		{"-t without a terminal", ioFlags{tty: true}, surroundings{}, ioMode{tty: true}, ""},
		{"-dit", ioFlags{detach: true, interactive: true, tty: true}, surroundings{}, ioMode{tty: true, stdin: true, detach: true}, ""},
		{"--json", ioFlags{}, surroundings{json: true, bare: true, stdinTerminal: true, stdoutTerminal: true}, ioMode{capture: true}, ""},
		{"--json -t", ioFlags{tty: true}, surroundings{json: true}, ioMode{}, "exclude each other"},
		{"--json -d", ioFlags{detach: true}, surroundings{json: true}, ioMode{detach: true}, ""},
	} {
		got, err := test.flags.resolve("banger run", test.at)
		if !matches(err, test.err) || err == nil && got != test.want {
			t.Errorf("%s: %+v, %v; want %+v, %q", test.name, got, err, test.want, test.err)
		}
	}
}

func TestReadEnv(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := newTestApp(newFakeDaemon(), nil, nil, nil)
	a.abs = filepath.Abs
	a.lookupEnv = func(key string) (string, bool) { return "here", key == "SET" }
	for _, test := range []struct {
		name        string
		files, vars []string
		want        []string
		err         string
	}{
		{"order", []string{write("a", "A=1\r\n#x\n\n  B=2 \nSET\nUNSET\n")}, []string{"A=3", "SET", "UNSET", "E="}, []string{"A=1", "B=2 ", "SET=here", "A=3", "SET=here", "E="}, ""},
		{"no key", nil, []string{"=1"}, nil, `--env "=1": want KEY=VALUE or KEY`},
		{"NUL", nil, []string{"A=\x00"}, nil, "NUL"},
		{"bad line", []string{write("b", "A=1\nB C=2\n")}, nil, nil, "line 2: want KEY=VALUE or KEY"},
		{"too big", []string{write("c", strings.Repeat("A", maxEnvFile+1))}, nil, nil, "has more than 1MiB"},
		{"missing", []string{filepath.Join(dir, "none")}, nil, nil, "no such file"},
		{"directory", []string{dir}, nil, nil, "is a directory"},
	} {
		got, err := a.readEnv(test.files, test.vars)
		if !matches(err, test.err) || err == nil && !cmp.Equal(got, test.want) {
			t.Errorf("%s: %q, %v; want %q, %q", test.name, got, err, test.want, test.err)
		}
	}
}
