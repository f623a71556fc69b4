package soak

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"banger/internal/agent"
	"banger/internal/daemon"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
	"banger/internal/store"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// inMemory is a daemon inside the test whose VMs are vmmtest's: what is left
// of the costs is the daemon's own. Its database and disks are real.
type inMemory struct {
	t     *testing.T
	paths model.Paths
	db    *store.Store
	fake  *vmmtest.Fake
	stop  func()

	mu     sync.Mutex
	agents map[*vmmtest.Guest]*agent.Server
}

func newInMemory(t *testing.T) *inMemory {
	t.Helper()
	needWorld(t)
	dir := t.TempDir()
	m := &inMemory{t: t, agents: map[*vmmtest.Guest]*agent.Server{}}
	m.paths = model.Paths{State: filepath.Join(dir, "s"), Cache: filepath.Join(dir, "c"), Run: filepath.Join(dir, "r")}
	for _, d := range []string{m.paths.State, m.paths.Cache} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if m.db, err = store.Open(t.Context(), m.paths.DB()); err != nil {
		t.Fatal(err)
	}
	m.fake = vmmtest.NewFake(m.serveGuest)
	m.serve(filepath.Join(dir, "image"))
	t.Cleanup(m.close)
	return m
}

// serve starts the daemon; stop ends it and its VMs.
func (m *inMemory) serve(imageDir string) {
	m.t.Helper()
	catalog, err := newCatalog(m.t.Context(), m.db, imageDir)
	if err != nil {
		m.t.Fatal(err)
	}
	ops := operation.New(operation.Config{Store: m.db})
	log := slog.New(slog.DiscardHandler)
	vms := vm.New(vm.Config{
		Paths: m.paths, Store: m.db, Images: catalog, Kernels: catalog, Ops: ops,
		Drivers: []vmm.Driver{m.fake}, Log: log, BootTimeout: limit,
	})
	l, err := rpc.Listen(m.t.Context(), m.paths.Socket())
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(m.t.Context())
	ended := make(chan error, 1)
	d := daemon.New(daemon.Parts{VMs: vms, Operations: ops, LetGo: vms.LetGo, Log: log})
	go func() { ended <- d.Serve(ctx, l, func() {}) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
		vms.Close()
	})
}

func (m *inMemory) close() {
	m.stop()
	m.mu.Lock()
	guests := slices.Collect(maps.Keys(m.agents))
	m.mu.Unlock()
	for _, g := range guests {
		g.Poweroff() // which closes its agent
	}
	_ = m.db.Close() // a test may have closed it
}

// serveGuest is the agent of a guest; it is forgotten with the guest.
func (m *inMemory) serveGuest(g *vmmtest.Guest, conn net.Conn) {
	m.mu.Lock()
	server := m.agents[g]
	if server == nil {
		server = agent.NewServer(agent.Options{Version: "test", Shutdown: g.Poweroff})
		m.agents[g] = server
		go func() {
			<-g.Ended()
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.agents, g)
			_ = server.Close()
		}()
	}
	m.mu.Unlock()
	_ = server.ServeConn(context.WithoutCancel(m.t.Context()), conn)
}

func (m *inMemory) client() *rpc.Client {
	c := rpc.NewClient(m.paths.Socket())
	m.t.Cleanup(c.Close)
	return c
}

// storeVMs puts n stopped VMs into the database.
func (m *inMemory) storeVMs(n int) {
	m.t.Helper()
	img, err := m.db.Image(m.t.Context(), "app")
	if err != nil {
		m.t.Fatal(err)
	}
	var group sync.WaitGroup
	next := make(chan int)
	for range 64 {
		group.Go(func() {
			for range next {
				id := model.NewID()
				row := model.VM{ID: id, Name: "stored-" + id, State: model.VMStopped, ImageID: img.ID, Image: img.Name, Dir: filepath.Join(m.paths.VMs(), id), CreatedAt: time.Now()}
				if err := m.db.InsertVM(m.t.Context(), row); err != nil {
					m.t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}

// catalog has one image, app, and one kernel.
type catalog struct {
	image  model.Image
	kernel model.Kernel
	initrd string
}

func newCatalog(ctx context.Context, db *store.Store, dir string) (*catalog, error) {
	err := os.MkdirAll(dir, 0o700)
	for _, f := range []string{model.RootfsFile, model.VmlinuxFile, model.InitrdFile} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, f), make([]byte, 8192), 0o600))
	}
	c := &catalog{
		image:  model.Image{ID: model.NewID(), Name: "app", Dir: dir, SizeBytes: 8192},
		kernel: model.Kernel{Name: "k", Dir: dir},
		initrd: filepath.Join(dir, model.InitrdFile),
	}
	return c, errors.Join(err, db.InsertImage(ctx, c.image))
}

func (c *catalog) EnsureImage(context.Context, string, string, model.Report) (model.Image, error) {
	return c.image, nil
}
func (c *catalog) FindImage(context.Context, string) (model.Image, error) { return c.image, nil }
func (c *catalog) CommitDisk(context.Context, model.VM, string, func(context.Context, string) error, model.Report) (model.Image, error) {
	return model.Image{}, model.Errorf(model.CodeUnsupported, "nothing is committed here")
}
func (c *catalog) ShowImage(context.Context, rpc.NameParams) (model.Image, error) {
	return c.image, nil
}

func (c *catalog) EnsureKernel(context.Context, string, model.Report) (model.Kernel, error) {
	return c.kernel, nil
}
func (c *catalog) Initramfs(context.Context, model.Kernel) (string, error) { return c.initrd, nil }
func (c *catalog) InitramfsFor(context.Context, model.BootFiles) (string, error) {
	return c.initrd, nil
}

func (c *catalog) ModulesDisk(context.Context, model.Kernel) (string, error) { return "", nil }
