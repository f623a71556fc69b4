package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

func TestParseKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ctrl-p,ctrl-q": "\x10\x11", "ctrl-]": "\x1d", "ctrl-@": "\x00", "a,b": "ab", "ctrl-a,d": "\x01d", "ctrl-_": "\x1f",
	} {
		if got, err := parseKeys(text); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "ab", "a,", "ctrl-", "ctrl-1", "ctrl-pq"} {
		if got, err := parseKeys(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestDetachReader(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		typed, passed string
		detached      bool
	}{
		"no keys":             {"ls\r", "ls\r", false},
		"at once":             {"\x10\x11rest", "", true},
		"after some":          {"ls\x10\x11", "ls", true},
		"half of it":          {"a\x10b", "a\x10b", false},
		"the first key twice": {"\x10\x10\x11", "\x10", true},
		"cut off":             {"a\x10", "a", false}, // the input has ended: nobody is there to decide
	} {
		for _, r := range []io.Reader{strings.NewReader(tc.typed), iotest.OneByteReader(strings.NewReader(tc.typed))} {
			detached := false
			d := &detachReader{r: r, keys: []byte{0x10, 0x11}, detach: func() { detached = true }}
			got, err := io.ReadAll(d)
			if err != nil || string(got) != tc.passed || detached != tc.detached {
				t.Errorf("%s: passed %q, detached %v, %v", name, got, detached, err)
			}
		}
	}
	broken := &detachReader{r: iotest.ErrReader(io.ErrClosedPipe), keys: []byte("x")}
	if _, err := io.ReadAll(broken); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// TestConsoleOnATerminal: what is typed reaches the guest, and the keys end
// the session with the terminal as it was.
func TestConsoleOnATerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.daemon.vms = []model.VM{{ID: "5eed", Name: "dev", State: model.VMRunning}}
	user, tty := r.terminal(t)
	before := termios(t, tty)
	r.start(t, "console", "dev")
	r.out.waitFor(t, "login: ")
	if _, err := user.WriteString("root\r"); err != nil {
		t.Fatal(err)
	}
	r.out.waitFor(t, "root\r")
	if _, err := user.WriteString("\x10\x11"); err != nil {
		t.Fatal(err)
	}
	r.wantExit(t, exitOK)
	r.out.waitFor(t, "note: detached from dev, which goes on")
	if d := cmp.Diff(before, termios(t, tty)); d != "" {
		t.Errorf("the terminal is not as it was (-want +got):\n%s", d)
	}
}
