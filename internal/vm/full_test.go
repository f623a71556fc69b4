package vm_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/ownmounts"
)

// small mounts a filesystem of so many bytes.
func small(t *testing.T, at, size string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "nr_inodes=200,size="+size); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

// fill leaves no byte of a filesystem free, until the function it returns is
// called.
func fill(t *testing.T, at string) (free func()) {
	t.Helper()
	name := filepath.Join(at, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Close() // it is as full as can be
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// goesOn checks that a VM that was up before is up, answers, and is shown.
func (r *rig) goesOn(name, when string) {
	r.t.Helper()
	if status, out, err := r.exec(name, "echo up"); err != nil || status.Code != 0 || out != "up\n" {
		r.t.Errorf("%s: exec: %+v %q %v", when, status, out, err)
	}
	if all, err := r.ListVMs(r.t.Context()); err != nil || len(all) == 0 || r.state(name) != model.VMRunning {
		r.t.Errorf("%s: list: %+v, %v", when, all, err)
	}
}

// TestFullStateDirectory: what runs goes on and can be looked at; what would
// write is refused with the reason and leaves nothing; with space all is well
// again.
func TestFullStateDirectory(t *testing.T) {
	if !ownmounts.Run(t) {
		return
	}
	home := t.TempDir()
	small(t, home, "4m")
	r := newRigIn(t, home)
	r.create("web")
	free := fill(t, home)
	r.goesOn("web", "full")
	for name, do := range map[string]func() error{
		"create": func() error {
			_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "late"}, model.Discard)
			return err
		},
		"set": func() error {
			_, err := r.SetVM(t.Context(), rpc.VMSetParams{Name: "web", Labels: map[string]string{"a": string(bytes.Repeat([]byte("b"), 1<<16))}}, model.Discard)
			return err
		},
	} {
		if err := do(); model.CodeOf(err) != model.CodeNoSpace {
			t.Errorf("%s on a full disk: %s %v", name, model.CodeOf(err), err)
		}
	}
	r.goesOn("web", "after refusals")
	free()
	r.restart()
	r.goesOn("web", "after a restart")
	if _, err := r.ShowVM(t.Context(), rpc.NameParams{Name: "late"}); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("a VM that was refused is there: %v", err)
	}
	r.create("later")
}

// TestReadOnlyDisks is the same for a filesystem of VMs that takes no writes,
// as after an error of its device.
func TestReadOnlyDisks(t *testing.T) {
	if !ownmounts.Run(t) {
		return
	}
	home := t.TempDir()
	vms := filepath.Join(home, "s", "vms")
	small(t, vms, "4m")
	r := newRigIn(t, home)
	r.create("web")
	remount := func(flags uintptr) {
		if err := unix.Mount("", vms, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY)
	r.goesOn("web", "read-only")
	_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "late"}, model.Discard)
	if err == nil || !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("a VM on a disk that is read-only: %v", err)
	}
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil || r.state("web") != model.VMStopped {
		t.Errorf("stop: %v; the VM is %s", err, r.state("web"))
	}
	remount(0)
	r.create("later")
}

// TestFullRunDirectory: a daemon that starts when nothing can be written where
// sockets are must not end what runs, and a VM that cannot start says why.
func TestFullRunDirectory(t *testing.T) {
	if !ownmounts.Run(t) {
		return
	}
	home := t.TempDir()
	run := filepath.Join(home, "r")
	small(t, run, "64k")
	r := newRigIn(t, home)
	r.create("web")
	if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "idle"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	free := fill(t, run)
	useInodes(t, run)
	r.restart()
	r.goesOn("web", "after a restart with a full run directory")
	_, err := r.StartVM(t.Context(), rpc.NameParams{Name: "idle"}, model.Discard)
	if model.CodeOf(err) != model.CodeNoSpace || r.state("idle") != model.VMFailed {
		t.Errorf("start: %s %v; the VM is %s", model.CodeOf(err), err, r.state("idle"))
	}
	if err := os.RemoveAll(filepath.Join(run, "many")); err != nil {
		t.Fatal(err)
	}
	free()
	if _, err := r.StartVM(t.Context(), rpc.NameParams{Name: "idle"}, model.Discard); err != nil {
		t.Errorf("start with space: %v", err)
	}
}

// useInodes makes files until there can be no more.
func useInodes(t *testing.T, at string) {
	t.Helper()
	dir := filepath.Join(at, "many")
	err := os.Mkdir(dir, 0o700)
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(dir, model.NewID()), nil, 0o600)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}
