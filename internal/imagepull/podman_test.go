package imagepull_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// TestRealPodman pulls from a podman that serves its API on a socket, with a
// storage of its own.
func TestRealPodman(t *testing.T) {
	t.Parallel()
	podman, err := exec.LookPath("podman")
	if err != nil {
		t.Skip("no podman in PATH")
	}
	if os.Getuid() != 0 {
		t.Skip("podman's storage in a directory of the test needs root")
	}
	dir, err := os.MkdirTemp("", "podman") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	command := func(args ...string) *exec.Cmd {
		global := []string{"--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"}
		cmd := exec.CommandContext(ctx, podman, append(global, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir)
		return cmd
	}
	if err := os.WriteFile(dir+"/app.tar", dockerSave(t, tagOf(t, "localhost/team/app:v1")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command("load", "-i", dir+"/app.tar").CombinedOutput(); err != nil {
		t.Skipf("podman cannot load an image here: %v: %s", err, out)
	}
	socket := filepath.Join(dir, "s")
	service := command("system", "service", "--time", "120", "unix://"+socket)
	var said bytes.Buffer
	service.Stdout, service.Stderr = &said, &said
	service.Cancel = func() error { return service.Process.Signal(syscall.SIGTERM) }
	service.WaitDelay = 10 * time.Second
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = service.Wait() })
	waitForSocket(t, socket, &said)

	r := engineRig(t, socket, nil)
	img, _, err := r.pull(ctx, t, "podman:localhost/team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if img.Source.Kind != imagepull.KindPodman || img.Config.User != "1000" || len(img.Source.Layers) != 1 {
		t.Errorf("source %+v, config %+v", img.Source, img.Config)
	}
	_, _, err = r.pull(ctx, t, "podman:localhost/team/app:v2")
	if model.CodeOf(err) != model.CodeNotFound || !strings.Contains(err.Error(), "v2") {
		t.Errorf("another tag: %v (%s)", err, model.CodeOf(err))
	}
}

func waitForSocket(t *testing.T, path string, said *bytes.Buffer) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("no socket after a minute: %s", said)
}
