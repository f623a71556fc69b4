package model_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", model.MaxNameLength)
	for _, tc := range []struct {
		name       string
		vm, object bool
	}{
		{"web", true, true},
		{"a", true, true},
		{"debian-bookworm", true, true},
		{"debian-12.1_x", false, true},
		{long, true, true},
		{long + "a", false, false},
		{"", false, false},
		{"-a", false, false},
		{"a-", false, false},
		{"A", false, false},
		{"a/b", false, false},
		{"a..b", false, false},
		{"..", false, false},
		{"a\n", false, false},
		{"ä", false, false},
	} {
		if err := model.ValidateVMName(tc.name); (err == nil) != tc.vm {
			t.Errorf("ValidateVMName(%q) = %v", tc.name, err)
		}
		if err := model.ValidateObjectName("image", tc.name); (err == nil) != tc.object {
			t.Errorf("ValidateObjectName(%q) = %v", tc.name, err)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	id := model.NewID()
	if !model.IsID(id) || id == model.NewID() {
		t.Errorf("NewID gave %q, which is no fresh id", id)
	}
	for _, s := range []string{"", "abc", id[1:], id + "0", strings.ToUpper("abcdef0123456789"), "zz" + id[2:]} {
		if model.IsID(s) {
			t.Errorf("IsID(%q)", s)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"debian-bookworm", "debian-trixie", "alpine", "web", "web2"}
	for in, want := range map[string][]string{
		"debian-bokworm": {"debian-bookworm"},
		"alpin":          {"alpine"},
		"wbe":            nil,
		"webb":           {"web", "web2"},
		"debian":         {"debian-bookworm", "debian-trixie"},
		"zzzzzz":         nil,
		"":               nil,
	} {
		if diff := cmp.Diff(want, model.Nearest(in, names)); diff != "" {
			t.Errorf("Nearest(%q): -want +got\n%s", in, diff)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ünï\tx":     "plain ünï\tx",
		"\x1b[31mred":      `\x1b[31mred`,
		"a\nb\x00":         `a\x0ab\x00`,
		"bad\xe9":          `bad\xe9`,
		"bidi\u202eevil":   `bidi\u{202e}evil`,
		"\u0085next\u009b": `\u{0085}next\u{009b}`,
	} {
		if got := model.Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestErrorKeepsCodeHintAndCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	inner := model.Errorf(model.CodeNoSpace, "writing: %w", cause).WithHint("make room")
	outer := model.Errorf(model.CodeInternal, "pulling: %w", inner)
	wrapped := fmt.Errorf("running: %w", inner)
	if outer.Hint != "make room" || model.HintOf(wrapped) != "make room" {
		t.Errorf("the hint is lost: %q, %q", outer.Hint, model.HintOf(wrapped))
	}
	if model.CodeOf(wrapped) != model.CodeNoSpace || model.CodeOf(outer) != model.CodeInternal {
		t.Errorf("codes: %s, %s", model.CodeOf(wrapped), model.CodeOf(outer))
	}
	if !errors.Is(outer, cause) || outer.Error() != "pulling: writing: cause" {
		t.Errorf("the chain is broken: %v", outer)
	}
	if model.CodeOf(nil) != "" || model.CodeOf(cause) != model.CodeInternal {
		t.Error("errors without a code are internal, no error has none")
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	xdg, err := model.DefaultPaths(env(map[string]string{"HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/1"}), 1)
	want := model.Paths{Config: "/home/u/.config/banger", State: "/home/u/.local/state/banger", Cache: "/home/u/.cache/banger", Run: "/run/user/1/banger"}
	if err != nil || xdg != want {
		t.Errorf("XDG: %+v, %v", xdg, err)
	}
	home, err := model.DefaultPaths(env(map[string]string{"BANGER_HOME": "/b"}), 1)
	if err != nil || home.Socket() != "/b/run/banger.sock" || home.DB() != "/b/state/banger.db" {
		t.Errorf("BANGER_HOME: %+v, %v", home, err)
	}
	for _, bad := range []map[string]string{{}, {"BANGER_HOME": "rel"}, {"HOME": "rel"}} {
		if _, err := model.DefaultPaths(env(bad), 1); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
	bare, err := model.DefaultPaths(env(map[string]string{"HOME": "/root"}), 7)
	if err != nil || bare.Run != "/tmp/banger-7" {
		t.Errorf("no runtime directory: %+v, %v", bare, err)
	}
}
