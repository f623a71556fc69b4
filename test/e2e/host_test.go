package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
)

// given is the name of the kernel that give brings: those of the catalog are
// the catalog's.
const given = "given"

// give puts the shared default kernel into a home, from its files.
func (h *home) give(t *testing.T) {
	t.Helper()
	var kernels []model.Kernel
	if err := json.Unmarshal([]byte(shared.home.ok(t, "kernel", "list", "--json")), &kernels); err != nil {
		t.Fatal(err)
	}
	for _, k := range kernels {
		if k.Default {
			h.ok(t, "kernel", "import", given, "--kernel-path", filepath.Join(k.Dir, model.VmlinuxFile),
				"--modules-dir", filepath.Join(k.Dir, model.ModulesDir))
			return
		}
	}
	t.Fatalf("no default kernel in %+v", kernels)
}

// TestNoQEMU: a host without QEMU is told which package brings it.
func TestNoQEMU(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	h := freshHome(t)
	h.env = append(h.env, "PATH="+pathWithout(t, "qemu-"))
	h.give(t)
	h.ok(t, "image", "pull", w.registry.ref("distroless"), "--name", "distroless", "--kernel", given)
	before := h.traces(t)
	failure{"", []string{"run", "--rm", "distroless"}, 125, []string{"qemu-system-x86_64"}, []string{"qemu-system-x86"}}.check(t, h)
	h.unchanged(t, before)
}

// pathWithout is a PATH that has every command of this one but those whose
// names begin with prefix.
func pathWithout(t *testing.T, prefix string) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(from)
		if err != nil {
			continue // PATH may name what is not there
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), prefix) {
				// The first of a name wins, as in PATH itself.
				_ = os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name()))
			}
		}
	}
	return dir
}

// TestHomeIsNotWritable: a daemon that cannot start says why, at once.
func TestHomeIsNotWritable(t *testing.T) {
	h := freshHome(t)
	t.Parallel()
	if err := os.Chmod(h.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // root writes anywhere
		h.prefix = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
		h.bin = readableCopy(t, h.bin)
	}
	r := h.try(t, "ps")
	if r.code == 0 || !strings.Contains(r.stderr, h.dir) || !strings.Contains(r.stderr, "permission denied") {
		t.Errorf("want the directory and the reason, got %s", r)
	}
}

// readableCopy copies the programs to where any user may run them.
func readableCopy(t *testing.T, bin string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bgbin") //nolint:usetesting // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "bin"), os.DirFS(bin)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "bin")
}

// TestSocketOfSomebodyElse: banger does not talk to a daemon that another
// user runs in its place.
func TestSocketOfSomebodyElse(t *testing.T) {
	h := freshHome(t)
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("no way to own a socket as another user: not root")
	}
	run := filepath.Join(h.dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(run, "banger.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chown(socket, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	r := h.try(t, "ps")
	if r.code == 0 || !strings.Contains(r.stderr, socket) {
		t.Errorf("want an error that names the socket, got %s", r)
	}
}

// TestNoSpace: a full disk is named, and what was begun is gone.
func TestNoSpace(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	h := freshHome(t)
	for _, dir := range []string{"state", "cache"} {
		if err := os.Mkdir(filepath.Join(h.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A small disk of its own, for all that runs in this mount namespace.
	script := `mount -t tmpfs -o size=24m,mode=700 none "$0/state" && "$@"; code=$?
echo "images: $(ls -A "$0/state/images" 2>&1)"; "$1" system shutdown; exit $code`
	cmd := exec.CommandContext(boundedContext(t), "unshare", "--user", "--map-root-user", "--mount",
		"sh", "-c", script, h.dir, filepath.Join(h.bin, "banger"), "image", "pull", w.registry.ref("debian-multi"), "--name", "large")
	cmd.Env = append(plainEnviron(), h.env...)
	cmd.WaitDelay = 5 * time.Second
	r := finish(cmd, nil)
	if r.code != 1 || !strings.Contains(r.stderr, "full") && !strings.Contains(r.stderr, "no space") || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("want exit code 1, the reason and a hint, got %s", r)
	}
	if !strings.Contains(r.stdout, "images: \n") {
		t.Errorf("want no image left, got %s", r)
	}
}

// TestGuestIsKilled: when the VM's process dies under a command, the command
// ends with banger's own status and says what has happened.
func TestGuestIsKilled(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	h.vm(t, "victim", "busybox")
	cmd := h.command(boundedContext(t), "exec", "victim", "--", "sh", "-c", "echo ready; exec sleep 600")
	var talk strings.Builder
	startAndWaitFor(t, cmd, "ready", &talk)
	qemu, err := os.FindProcess(h.show(t, "victim").Runtime.Process.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := qemu.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at
	if code := cmd.ProcessState.ExitCode(); code != 125 || !strings.Contains(talk.String(), "victim") {
		t.Errorf("exit code %d, want 125 and the VM's name in %q", code, talk.String())
	}
	eventually(t, func() string {
		if vm := h.show(t, "victim"); vm.State == model.VMRunning || vm.Reason == "" {
			return fmt.Sprintf("the VM is %q, reason %q", vm.State, vm.Reason)
		}
		return ""
	})
	if got := h.guest(t, "victim", "echo back"); got != "back" {
		t.Errorf("the guest says %q after a new start", got)
	}
}
