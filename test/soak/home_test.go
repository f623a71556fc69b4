package soak

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/rpc"
)

// limit bounds every call of a test.
const limit = time.Minute

// home is a BANGER_HOME with a daemon that comes and goes.
type home struct {
	*rpc.Client
	t      *testing.T
	dir    string
	paths  model.Paths
	env    []string
	daemon *exec.Cmd
	ended  chan struct{}     // closed when the daemon has ended
	kernel string            // file that a kernel can be imported from
	kept   []string          // kernels that clear leaves
	images map[string]string // references of images by name

	registry string // host:port, once it is needed
}

// newHome makes a home with the image app and the kernel k, and without a
// daemon. Its path is short: sockets live below it.
func newHome(t *testing.T) *home {
	t.Helper()
	w := needWorld(t)
	dir, err := os.MkdirTemp("/tmp", "bgs") //nolint:usetesting // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: dir, kernel: filepath.Join(dir, "vmlinux"), kept: []string{"k"}}
	h.images = map[string]string{
		"app": "oci:" + filepath.Join(w.layouts, "busybox"),
		"i":   "oci:" + filepath.Join(w.layouts, "distroless"),
	}
	h.env = append(os.Environ(), "BANGER_HOME="+dir, "BANGER_ACCEL=tcg", "PATH="+w.path)
	h.paths = model.Paths{
		Config: filepath.Join(dir, "config"), State: filepath.Join(dir, "state"),
		Cache: filepath.Join(dir, "cache"), Run: filepath.Join(dir, "run"),
	}
	t.Cleanup(h.destroy)
	elfFile := kerneltest.ELF(kerneltest.Kernel{Release: "6.1.0-soak", Machine: elf.EM_X86_64})
	if err := os.WriteFile(h.kernel, elfFile, 0o600); err != nil {
		t.Fatal(err)
	}
	h.boot("")
	h.must(h.importKernel("k"))
	h.must(h.pullImage("app"))
	h.must(h.startNew("warm")) // caches are filled
	h.must(h.deleteVM("warm"))
	return h
}

func (h *home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("%v (%s)", err, model.HintOf(err))
	}
}

// boot starts a daemon and waits until it answers.
func (h *home) boot(failpoints string) {
	h.t.Helper()
	h.must(h.tryBoot(failpoints))
}

// tryBoot is boot for a daemon that may die or refuse to serve.
func (h *home) tryBoot(failpoints string) error {
	h.launch(failpoints)
	return h.awaitReady()
}

func (h *home) launch(failpoints string) {
	h.t.Helper()
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	h.must(err)
	defer log.Close()
	h.daemon = exec.Command(filepath.Join(shared.bin, "bangerd"))
	h.daemon.Env = append(h.env, "BANGER_FAILPOINTS="+failpoints)
	h.daemon.Stdout, h.daemon.Stderr = log, log
	h.daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	h.must(h.daemon.Start())
	h.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(ended)
	}(h.daemon, h.ended)
	h.Client = rpc.NewClient(h.paths.Socket())
}

var errDaemonEnded = errors.New("the daemon has ended")

func (h *home) awaitReady() error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		select {
		case <-h.ended:
			return errDaemonEnded
		default:
		}
		if _, err := h.Version(h.t.Context()); err == nil {
			return nil
		}
	}
	return errors.New("the daemon has not answered")
}

// kill ends the daemon as a crash does and returns when it is gone.
func (h *home) kill() {
	h.t.Helper()
	_ = h.daemon.Process.Kill()
	h.awaitEnd()
}

func (h *home) awaitEnd() {
	h.t.Helper()
	select {
	case <-h.ended:
		h.Close()
	case <-time.After(limit):
		h.t.Fatal("the daemon has not ended")
	}
}

// killed tells whether the daemon ended by SIGKILL, now or in a moment.
func (h *home) killed() bool {
	select {
	case <-h.ended:
	case <-time.After(5 * time.Second):
		return false
	}
	h.Close()
	status, ok := h.daemon.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// destroy ends all that runs in the home and removes it.
func (h *home) destroy() {
	if h.daemon != nil {
		h.kill()
	}
	for _, p := range h.processes() {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	if h.t.Failed() {
		if log, err := os.ReadFile(filepath.Join(h.dir, "log")); err == nil {
			h.t.Logf("the end of the daemon's log:\n%s", log[max(0, len(log)-4000):])
		}
	}
	if err := os.RemoveAll(h.dir); err != nil {
		h.t.Error(err)
	}
}

// The operations, each bounded.

func (h *home) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(h.t.Context(), limit)
}

func (h *home) pullImage(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.PullImage(ctx, rpc.ImagePullParams{Ref: h.images[name], Name: name}, model.Discard)
	return err
}

func (h *home) deleteImage(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.DeleteImage(ctx, rpc.NameParams{Name: name})
	return err
}

func (h *home) importKernel(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.ImportKernel(ctx, rpc.KernelImportParams{Name: name, KernelPath: h.kernel}, model.Discard)
	return err
}

func (h *home) deleteKernel(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.DeleteKernel(ctx, rpc.NameParams{Name: name})
	return err
}

func (h *home) createVM(name string, start bool) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.CreateVM(ctx, rpc.VMCreateParams{Image: "app", Kernel: "k", Name: name, Start: start}, model.Discard)
	return err
}

func (h *home) startNew(name string) error { return h.createVM(name, true) }

func (h *home) startVM(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.StartVM(ctx, rpc.NameParams{Name: name}, model.Discard)
	return err
}

func (h *home) stopVM(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.StopVM(ctx, rpc.VMStopParams{Name: name}, model.Discard)
	return err
}

func (h *home) killVM(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.KillVM(ctx, rpc.NameParams{Name: name})
	return err
}

func (h *home) restartVM(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.RestartVM(ctx, rpc.VMStopParams{Name: name}, model.Discard)
	return err
}

func (h *home) deleteVM(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.DeleteVM(ctx, rpc.VMDeleteParams{Name: name, Force: true}, model.Discard)
	return err
}

// run is `banger run --rm`.
func (h *home) run() error {
	ctx, cancel := h.call()
	defer cancel()
	var out strings.Builder
	status, err := h.RunVM(ctx, rpc.VMRunParams{
		Create: rpc.VMCreateParams{Image: "app", Kernel: "k", AutoRemove: true},
		Argv:   []string{"/bin/echo", "ran"},
	}, rpc.Stdio{Stdout: &out}, model.Discard)
	if err == nil && (status.Code != 0 || out.String() != "ran\n") {
		err = fmt.Errorf("exit %d, %q", status.Code, &out)
	}
	return err
}

func (h *home) pullKernel() error {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	_, err := h.PullKernel(ctx, rpc.KernelPullParams{Name: "debian-12-cloud"}, model.Discard) // another may be the default
	return err
}
