package vm_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"banger/internal/agent"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/quota"
	"banger/internal/rpc"
	"banger/internal/store"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// rig is a VM service over a real store and a fake driver whose guests are
// real agents that run processes on this host.
type rig struct {
	*vm.Service
	t       *testing.T
	paths   model.Paths
	db      *store.Store
	ops     *operation.Service
	fake    *vmmtest.Fake
	catalog *catalog
	events  *eventLog
	hooks   []vm.Hook
	memory  int   // quota, MiB
	disks   int64 // quota, bytes

	mu     sync.Mutex
	left   []string // ids of images that VMs are no longer made of
	agents map[*vmmtest.Guest]*agent.Server
}

// newRig makes a rig with an image called app.
func newRig(t *testing.T, hooks ...vm.Hook) *rig {
	t.Helper()
	return newRigIn(t, t.TempDir(), hooks...)
}

// newRigIn is newRig with its files in home.
func newRigIn(t *testing.T, home string, hooks ...vm.Hook) *rig {
	t.Helper()
	r := &rig{t: t, events: &eventLog{}, hooks: hooks, agents: map[*vmmtest.Guest]*agent.Server{}, paths: model.Paths{
		State: filepath.Join(home, "s"), Cache: filepath.Join(home, "c"), Run: filepath.Join(home, "r"),
	}}
	r.fake = vmmtest.NewFake(r.serveGuest)
	db, err := store.Open(t.Context(), filepath.Join(home, "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r.db = db
	r.catalog = newCatalog(t, db, filepath.Join(home, "image"))
	r.restart()
	t.Cleanup(func() {
		vms, _ := db.VMs(context.Background())
		for _, v := range vms {
			_, _ = r.KillVM(context.Background(), rpc.NameParams{Name: v.ID})
		}
		r.Close()
	})
	return r
}

// restart is the end of a daemon and the start of the next.
func (r *rig) restart() {
	r.t.Helper()
	if r.Service != nil {
		r.Close()
	}
	r.ops = operation.New(operation.Config{Store: r.db})
	r.Service = vm.New(vm.Config{
		Paths: r.paths, Store: r.db, Volumes: r.db, Images: r.catalog, Kernels: r.catalog, Ops: r.ops, Events: r.events,
		Drivers: []vmm.Driver{r.fake}, Hooks: r.hooks, Memory: quota.NewMemory(r.memory, r.db), Disks: quota.NewDisk(r.disks, r.db), Log: slog.New(slog.DiscardHandler), BootTimeout: time.Second,
		ImageLeft: func(_ context.Context, id string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.left = append(r.left, id)
		},
	})
	if err := r.Recover(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// serveGuest is the agent of a guest, for one host after the other. Shutdown
// switches the guest off.
func (r *rig) serveGuest(g *vmmtest.Guest, conn net.Conn) {
	if filepath.Base(filepath.Dir(g.Spec.Kernel)) == "broken" {
		g.Reset() // it panics
		return
	}
	_ = r.agentOf(g).ServeConn(r.t.Context(), conn)
}

func (r *rig) agentOf(g *vmmtest.Guest) *agent.Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agents[g] == nil {
		server := agent.NewServer(agent.Options{Version: "test", Shutdown: g.Poweroff})
		r.t.Cleanup(func() { _ = server.Close() })
		r.agents[g] = server
	}
	return r.agents[g]
}

// create makes a VM, and starts it.
func (r *rig) create(name string) model.VM {
	r.t.Helper()
	v, err := r.CreateVM(r.t.Context(), rpc.VMCreateParams{Image: "app", Name: name, Start: true}, model.Discard)
	if err != nil {
		r.t.Fatalf("creating %s: %v", name, err)
	}
	return v
}

func (r *rig) state(name string) model.VMState {
	r.t.Helper()
	v, err := r.ShowVM(r.t.Context(), rpc.NameParams{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return v.State
}

// exec runs a shell in a VM.
func (r *rig) exec(name, script string) (model.ExitStatus, string, error) {
	r.t.Helper()
	var out bytes.Buffer
	status, err := r.ExecVM(r.t.Context(), rpc.VMExecParams{Name: name, Argv: []string{"/bin/sh", "-c", script}, WorkingDir: "/"},
		rpc.Stdio{Stdout: &out, Stderr: &out}, model.Discard)
	return status, out.String(), err
}

// nothingLeft checks that no VM has left a row, a process or a file.
func (r *rig) nothingLeft() {
	r.t.Helper()
	awaitTrue(r.t, "nothing is left", func() bool {
		vms, err := r.ListVMs(r.t.Context())
		return err == nil && len(vms) == 0 && r.fake.Running() == 0 &&
			empty(r.paths.VMs()) && empty(r.paths.VMRuns())
	})
}

func empty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return os.IsNotExist(err) || err == nil && len(entries) == 0
}

func awaitTrue(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 2000 {
		if cond() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("it has not come true within 10 s that %s", what)
}

// catalog is the images and kernels that there are.
type catalog struct {
	image  model.Image
	others []model.Image
	kernel model.Kernel
	initrd string
	stale  *model.Image // is found once, and is gone when it is to be used
}

func newCatalog(t *testing.T, db *store.Store, dir string) *catalog {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "broken"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{filepath.Join("broken", model.VmlinuxFile), model.RootfsFile, model.VmlinuxFile, model.InitrdFile} {
		if err := os.WriteFile(filepath.Join(dir, f), make([]byte, 8192), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &catalog{
		image:  model.Image{ID: model.NewID(), Name: "app", Dir: dir, SizeBytes: 8192, Config: model.ImageConfig{Cmd: []string{"/bin/sh", "-c", "echo main"}}},
		kernel: model.Kernel{Name: "k", Dir: dir},
		initrd: filepath.Join(dir, model.InitrdFile),
	}
	if err := db.InsertImage(t.Context(), c.image); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *catalog) EnsureImage(ctx context.Context, name, _ string, _ model.Report) (model.Image, error) {
	if stale := c.stale; stale != nil {
		c.stale = nil
		return *stale, nil
	}
	return c.FindImage(ctx, name)
}

func (c *catalog) FindImage(_ context.Context, name string) (model.Image, error) {
	for _, img := range append([]model.Image{c.image}, c.others...) {
		if name == img.Name || name == img.ID {
			return img, nil
		}
	}
	return model.Image{}, model.Errorf(model.CodeNotFound, "there is no image %q", name)
}

func (c *catalog) ShowImage(ctx context.Context, p rpc.NameParams) (model.Image, error) {
	return c.FindImage(ctx, p.Name)
}

func (c *catalog) EnsureKernel(_ context.Context, name string, _ model.Report) (model.Kernel, error) {
	if name == "broken" {
		return model.Kernel{Name: name, Dir: filepath.Join(c.kernel.Dir, name)}, nil
	}
	if name != "" && name != "k" {
		return model.Kernel{}, model.Errorf(model.CodeNotFound, "there is no kernel %q", name)
	}
	return c.kernel, nil
}

func (c *catalog) Initramfs(context.Context, model.Kernel) (string, error) { return c.initrd, nil }

func (c *catalog) InitramfsFor(context.Context, model.BootFiles) (string, error) {
	return c.initrd, nil
}

func (c *catalog) ModulesDisk(context.Context, model.Kernel) (string, error) { return "", nil }
