package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// failure is what a user must be told when something goes wrong.
type failure struct {
	what string
	args []string
	code int
	says []string // what the message must hold
	hint []string // what the hint must hold
}

// check runs banger and compares; that it leaves no trace is checked by the
// caller, once for many.
func (f failure) check(t *testing.T, h *home) {
	t.Helper()
	r := h.try(t, f.args...)
	if r.code != f.code {
		t.Errorf("want exit code %d, got %s", f.code, r)
	}
	message, hint, _ := strings.Cut(r.stderr, "hint: ")
	if !strings.Contains(message, "banger: ") || r.stdout != "" {
		t.Errorf("want a message on standard error alone, got %s", r)
	}
	for _, want := range f.says {
		if !strings.Contains(message, want) {
			t.Errorf("the message does not say %q: %s", want, r)
		}
	}
	for _, want := range f.hint {
		if !strings.Contains(hint, want) {
			t.Errorf("the hint does not say %q: %s", want, r)
		}
	}
}

// TestMistakes are a user's: none of them changes anything.
func TestMistakes(t *testing.T) {
	w := needWorld(t)
	h := w.home // not parallel: traces are compared
	closed := closedPort(t)
	notAKernel := filepath.Join(t.TempDir(), "kernel")
	if err := os.WriteFile(notAKernel, []byte("this is no kernel\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := h.traces(t)
	for _, f := range []failure{
		{"image that is not here, near one that is", []string{"image", "show", "busybx"}, 3,
			[]string{`busybx`}, []string{"busybox"}},
		{"VM that is not here", []string{"exec", "nobody", "--", "true"}, 125, []string{"nobody"}, nil},
		{"VM that is not here, shown", []string{"vm", "show", "nobody"}, 3, []string{"nobody"}, nil},
		{"image to run that may not be pulled", []string{"run", "--rm", "--pull", "never", "busybx", "--", "true"}, 125,
			[]string{"busybx"}, []string{"busybox"}},
		{"image that the registry does not have", []string{"image", "pull", w.registry.ref("nothing")}, 3,
			[]string{w.registry.ref("nothing")}, nil},
		{"registry that is not there", []string{"image", "pull", closed + "/x:1", "--name", "x"}, 5,
			[]string{closed}, nil},
		{"reference that is none", []string{"image", "pull", "Not A/Reference"}, 2, []string{"Not A/Reference"}, nil},
		{"name that is taken", []string{"image", "pull", w.registry.ref("nonroot"), "--name", "busybox"}, 4,
			[]string{`busybox`}, []string{"banger image"}},
		{"name that is none", []string{"create", "--name", "../up", "busybox"}, 2, []string{"../up"}, nil},
		{"kernel that is not in the catalog", []string{"create", "--kernel", "no-such", "busybox"}, 3,
			[]string{"no-such"}, []string{"banger kernel"}},
		{"kernel that is no kernel", []string{"kernel", "import", "--kernel-path", notAKernel, "text"}, 2,
			[]string{notAKernel}, nil},
		{"kernel file that is not there", []string{"kernel", "import", "--kernel-path", "/no/such/file", "gone"}, 2,
			[]string{"/no/such/file"}, nil},
		{"kernel of an image that is no kernel", []string{"image", "pull", w.registry.ref("busybox"), "--name", "other",
			"--kernel-path", notAKernel}, 2, []string{notAKernel}, nil},
		{"more memory than there is", []string{"run", "--rm", "-m", "15T", "busybox", "--", "true"}, 125, []string{"memory"}, nil},
		{"disk smaller than the image", []string{"create", "--disk", "1M", "busybox"}, 2, nil, nil},
		{"command that is none", []string{"crate", "busybox"}, 2, []string{"crate"}, []string{"create"}},
		{"flag that is none", []string{"run", "--memroy", "1G", "busybox"}, 125, []string{"--memroy"}, []string{"--memory"}},
	} {
		t.Run(f.what, func(t *testing.T) { f.check(t, h) })
	}
	h.unchanged(t, before)
}

// TestRefusedByRegistry: a registry that wants a password gets it from where
// docker and podman keep theirs, and says so when it is not there.
func TestRefusedByRegistry(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	private, err := startRegistry(t.Context(), htpasswd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(private.stop)
	if err := private.push(t.Context(), filepath.Join(w.layouts, "distroless"), "distroless",
		"--dest-creds", "banger:secret"); err != nil {
		t.Fatal(err)
	}
	h := freshHome(t)
	h.give(t)
	pull := []string{"image", "pull", private.ref("distroless"), "--name", "private", "--kernel", given}
	failure{"", pull, 1, []string{private.addr}, []string{"login", private.addr}}.check(t, h)

	config := `{"auths": {"` + private.addr + `": {"auth": "YmFuZ2VyOnNlY3JldA=="}}}`
	if err := os.MkdirAll(filepath.Join(h.dir, ".docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, ".docker/config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	h.ok(t, pull...)
}

// closedPort is a loopback address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
