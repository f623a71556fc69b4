package kernelcat_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"banger/internal/kernelcat"
	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"

	"github.com/google/go-cmp/cmp"
)

var _ rpc.KernelAPI = (*kernelcat.Service)(nil)

const release = "6.1.0-1-cloud-amd64"

// memStore is a Store in memory.
type memStore struct {
	mu      sync.Mutex
	rows    map[string]model.Kernel
	failing error // what InsertKernel returns
}

func (m *memStore) InsertKernel(_ context.Context, k model.Kernel) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	if _, ok := m.rows[k.Name]; ok {
		return model.Errorf(model.CodeConflict, "kernel %s exists", k.Name)
	}
	m.rows[k.Name] = k
	return nil
}

func (m *memStore) Kernel(_ context.Context, name string) (model.Kernel, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.rows[name]
	if !ok {
		return k, model.Errorf(model.CodeNotFound, "no kernel %s", name)
	}
	return k, nil
}

func (m *memStore) Kernels(context.Context) ([]model.Kernel, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.rows), func(a, b model.Kernel) int { return strings.Compare(a.Name, b.Name) }), nil
}

func (m *memStore) DeleteKernel(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[name]; !ok {
		return model.Errorf(model.CodeNotFound, "no kernel %s", name)
	}
	delete(m.rows, name)
	return nil
}

// opStore forgets operations.
type opStore struct{}

func (opStore) SaveOperations(context.Context, []model.Operation, int) error { return nil }
func (opStore) Operations(context.Context) ([]model.Operation, error)        { return nil, nil }
func (opStore) InterruptOperations(context.Context, time.Time) (int, error)  { return 0, nil }

// mirror serves packages: for each package the files of the .deb, or an error.
type mirror struct {
	mu       sync.Mutex
	packages map[string][]kerneltest.File
	errs     map[string]error
	asked    []apt.Request
}

func (m *mirror) Download(_ context.Context, req apt.Request, dir string, note func(string)) (apt.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, req)
	note("downloading " + req.Package)
	if err := m.errs[req.Package]; err != nil {
		return apt.Result{}, err
	}
	path := filepath.Join(dir, req.Package+".deb")
	err := os.WriteFile(path, kerneltest.Deb("data.tar", kerneltest.Tar(m.packages[req.Package]...)), 0o600)
	return apt.Result{Files: []string{path}, Package: req.Package, Version: "6.1.1-1"}, err
}

func (m *mirror) requests() []apt.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

// env is a service and what it works with.
type env struct {
	*kernelcat.Service
	cfg    kernelcat.Config
	store  *memStore
	mirror *mirror
	dir    string // of files to import
}

// newEnv makes a service for amd64 with a mirror that has the default kernel.
func newEnv(t *testing.T, change ...func(*kernelcat.Config)) *env {
	t.Helper()
	home := t.TempDir()
	e := &env{
		store: &memStore{rows: map[string]model.Kernel{}},
		mirror: &mirror{packages: map[string][]kerneltest.File{
			"linux-image-cloud-amd64": kerneltest.KernelFiles(release),
			"linux-image-amd64":       kerneltest.KernelFiles("6.1.0-1-amd64"),
			"linux-image-virtual":     kerneltest.KernelFiles("6.8.0-60-generic"),
		}, errs: map[string]error{}},
		dir: filepath.Join(home, "files"),
	}
	e.cfg = kernelcat.Config{
		Paths:      model.Paths{State: filepath.Join(home, "state"), Cache: filepath.Join(home, "cache")},
		Store:      e.store,
		Operations: operation.New(operation.Config{Store: opStore{}}),
		Packages:   e.mirror,
		AgentPath:  e.file(t, "banger-agent", []byte("the agent")),
		Arch:       "amd64",
	}
	for _, f := range change {
		f(&e.cfg)
	}
	s, err := kernelcat.New(e.cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Service = s
	return e
}

// file writes a file to import and returns its path.
func (e *env) file(t *testing.T, name string, body []byte) string {
	t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// onDisk lists what is in the directory of kernels.
func (e *env) onDisk(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(e.cfg.Paths.Kernels())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// wantNothing checks that a failure left neither files nor a row.
func (e *env) wantNothing(t *testing.T) {
	t.Helper()
	if got := e.onDisk(t); len(got) != 0 {
		t.Errorf("left on disk: %v", got)
	}
	if kernels, err := e.ListKernels(t.Context()); err != nil || len(kernels) != 0 {
		t.Errorf("left in the store: %v, %v", kernels, err)
	}
}

func (e *env) pull(t *testing.T, name string) model.Kernel {
	t.Helper()
	k, err := e.PullKernel(t.Context(), rpc.KernelPullParams{Name: name}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantCode(t *testing.T, what string, err error, code model.Code) {
	t.Helper()
	if model.CodeOf(err) != code {
		t.Errorf("%s: got %v of code %q, want %q", what, err, model.CodeOf(err), code)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPull(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	elf := kerneltest.ELF(kerneltest.Kernel{Release: release})
	want := model.Kernel{
		Name: "debian-12-cloud", Dir: filepath.Join(e.cfg.Paths.Kernels(), "debian-12-cloud"),
		Version: release, Arch: "amd64", Distro: "debian", Flavour: "cloud",
		Source:  "debian bookworm linux-image-cloud-amd64: linux-image-cloud-amd64 6.1.1-1",
		Modules: true, Default: true,
		Digest: k.Digest, SizeBytes: k.SizeBytes, CreatedAt: k.CreatedAt,
	}
	if diff := cmp.Diff(want, k); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !bytes.Equal(read(t, filepath.Join(k.Dir, model.VmlinuxFile)), elf) {
		t.Error("vmlinux is not the kernel of the package")
	}
	for name, body := range kerneltest.Below(kerneltest.KernelFiles(release), "./lib/modules/"+release+"/") {
		if !bytes.Equal(read(t, filepath.Join(k.Dir, model.ModulesDir, name)), body) {
			t.Errorf("modules/%s differs", name)
		}
	}
	if diff := cmp.Diff([]string{"debian-12-cloud"}, e.onDisk(t)); diff != "" {
		t.Errorf("on disk: (-want +got)\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(k.Dir, "packages")); !os.IsNotExist(err) {
		t.Errorf("the packages were left: %v", err)
	}
	if again := e.pull(t, "debian-12-cloud"); again != k {
		t.Errorf("a second pull gave %+v", again)
	}
	if n := len(e.mirror.requests()); n != 1 {
		t.Errorf("%d downloads for two pulls", n)
	}
}

func TestPullAtOnceSharesOneDownload(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := e.EnsureKernel(t.Context(), "", model.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(e.mirror.requests()); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestPullFallsBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.mirror.errs["linux-image-cloud-amd64"] = model.Errorf(model.CodeUnsupported, "no mirror")
	k := e.pull(t, "")
	if k.Distro != "ubuntu" || k.Version != "6.8.0-60-generic" {
		t.Errorf("got %+v", k)
	}
	want := []apt.Request{
		{Distro: "debian", Suite: "bookworm", Package: "linux-image-cloud-amd64"},
		{Distro: "ubuntu", Package: "linux-image-virtual"},
	}
	if diff := cmp.Diff(want, e.mirror.requests()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPullFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	replace := func(files []kerneltest.File, from, to string) []kerneltest.File {
		files = slices.Clone(files)
		for i := range files {
			files[i].Name = strings.ReplaceAll(files[i].Name, from, to)
		}
		return files
	}
	drop := func(part string) []kerneltest.File {
		return slices.DeleteFunc(kerneltest.KernelFiles(release), func(f kerneltest.File) bool { return strings.Contains(f.Name, part) })
	}
	add := func(f ...kerneltest.File) []kerneltest.File { return append(kerneltest.KernelFiles(release), f...) }
	for name, c := range map[string]struct {
		files []kerneltest.File
		code  model.Code
	}{
		"no kernel":               {drop("vmlinuz"), model.CodeInvalid},
		"no kernel inside":        {append(drop("vmlinuz"), kerneltest.File{Name: "boot/vmlinuz-" + release, Body: []byte("text")}), model.CodeInvalid},
		"no disk driver":          {drop("virtio_blk"), model.CodeUnsupported},
		"module needs another":    {drop("net/failover"), model.CodeInvalid},
		"files of two kernels":    {add(kerneltest.File{Name: "lib/modules/5.10.0/a.ko", Body: []byte("x")}), model.CodeInvalid},
		"modules of another":      {replace(kerneltest.KernelFiles("5.10.0"), "5.10.0", release)[5:], model.CodeInvalid},
		"kernel twice":            {add(kerneltest.KernelFiles(release)[1]), model.CodeIntegrity},
		"file twice":              {add(kerneltest.KernelFiles(release)[2]), model.CodeIntegrity},
		"name leads outside":      {add(kerneltest.File{Name: "lib/modules/" + release + "/../../../../evil", Body: []byte("x")}), model.CodeIntegrity},
		"module file is a folder": {add(kerneltest.File{Name: "lib/modules/" + release + "/modules.builtin/x", Body: []byte("x")}), model.CodeIntegrity},
	} {
		if name == "modules of another" {
			c.files = append(c.files, kerneltest.KernelFiles(release)[1])
		}
		e := newEnv(t)
		e.mirror.packages["linux-image-cloud-amd64"] = c.files
		_, err := e.EnsureKernel(t.Context(), "", model.Discard)
		wantCode(t, name, err, c.code)
		e.wantNothing(t)
		e.mirror.packages["linux-image-cloud-amd64"] = kerneltest.KernelFiles(release)
		e.pull(t, "")
	}
}

func TestPullSourceErrors(t *testing.T) {
	t.Parallel()
	unsupported := model.Errorf(model.CodeUnsupported, "this host is none")
	unreachable := model.Errorf(model.CodeUnreachable, "no answer").WithHint("check the network")
	integrity := model.Errorf(model.CodeIntegrity, "bad signature")
	for name, c := range map[string]struct {
		first, second error
		code          model.Code
		asked         int
		hint          string
	}{
		"nothing for this host":   {unsupported, unsupported, model.CodeUnsupported, 2, "import"},
		"the mirror is down":      {unreachable, unsupported, model.CodeUnreachable, 2, "check the network"},
		"the second one is down":  {unsupported, unreachable, model.CodeUnreachable, 2, "check the network"},
		"a forgery ends the pull": {integrity, nil, model.CodeIntegrity, 1, ""},
	} {
		e := newEnv(t)
		e.mirror.errs["linux-image-cloud-amd64"], e.mirror.errs["linux-image-virtual"] = c.first, c.second
		_, err := e.EnsureKernel(t.Context(), "", model.Discard)
		wantCode(t, name, err, c.code)
		if n := len(e.mirror.requests()); n != c.asked {
			t.Errorf("%s: %d sources asked, want %d", name, n, c.asked)
		}
		if !strings.Contains(model.HintOf(err), c.hint) {
			t.Errorf("%s: hint %q", name, model.HintOf(err))
		}
		e.wantNothing(t)
	}
}

func TestPullTakesBackWhatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.store.failing = model.Errorf(model.CodeNoSpace, "the disk is full")
	_, err := e.EnsureKernel(t.Context(), "", model.Discard)
	wantCode(t, "pull", err, model.CodeNoSpace)
	e.store.failing = nil
	e.wantNothing(t)
	e.pull(t, "")
}

func TestPullMakesUpForLostFiles(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	if err := os.RemoveAll(k.Dir); err != nil {
		t.Fatal(err)
	}
	e.pull(t, "")
	read(t, filepath.Join(k.Dir, model.VmlinuxFile))

	e.store.rows["mine"] = model.Kernel{Name: "mine", Dir: filepath.Join(e.dir, "gone")}
	_, err := e.EnsureKernel(t.Context(), "mine", model.Discard)
	wantCode(t, "an imported kernel without files", err, model.CodeNotFound)
	if !strings.Contains(err.Error(), "gone or damaged") || model.HintOf(err) == "" {
		t.Errorf("got %v, hint %q", err, model.HintOf(err))
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, err := e.EnsureKernel(t.Context(), "debian-12-clout", model.Discard)
	wantCode(t, "a slip", err, model.CodeNotFound)
	if !strings.Contains(err.Error(), "debian-12-cloud") || model.HintOf(err) != "banger kernel list --available" {
		t.Errorf("got %v, hint %q", err, model.HintOf(err))
	}
	_, err = e.ShowKernel(t.Context(), rpc.NameParams{Name: "debian-12"})
	wantCode(t, "show of one not pulled", err, model.CodeNotFound)
	if model.HintOf(err) != "banger kernel pull debian-12" {
		t.Errorf("hint %q", model.HintOf(err))
	}
	for _, name := range []string{"../etc", "A", "a/b", strings.Repeat("a", 64)} {
		_, err = e.EnsureKernel(t.Context(), name, model.Discard)
		wantCode(t, name, err, model.CodeInvalid)
	}
	arm := newEnv(t, func(c *kernelcat.Config) { c.Arch = "arm64" })
	_, err = arm.EnsureKernel(t.Context(), "", model.Discard)
	wantCode(t, "no default for the architecture", err, model.CodeUnsupported)
}

func TestLists(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	k := e.pull(t, "")
	kernels, err := e.ListKernels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]model.Kernel{k}, kernels); diff != "" {
		t.Errorf("kernels: (-want +got)\n%s", diff)
	}
	shown, err := e.ShowKernel(t.Context(), rpc.NameParams{Name: k.Name})
	if err != nil || shown != k {
		t.Errorf("show: %+v, %v", shown, err)
	}
	catalog, err := e.ListCatalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pulled := map[string]bool{}
	for _, c := range catalog {
		pulled[c.Name] = c.Pulled
		if len(c.Sources) == 0 || c.Description == "" {
			t.Errorf("%+v lacks sources or description", c)
		}
	}
	if diff := cmp.Diff(map[string]bool{"debian-12-cloud": true, "debian-12": false}, pulled); diff != "" {
		t.Errorf("catalog: (-want +got)\n%s", diff)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	users := []string{"image debian", "VM web"}
	e := newEnv(t, func(c *kernelcat.Config) {
		c.Users = func(_ context.Context, kernel string) ([]string, error) {
			if kernel != "debian-12-cloud" {
				t.Errorf("asked for users of %q", kernel)
			}
			return users, nil
		}
	})
	k := e.pull(t, "")
	p := rpc.NameParams{Name: k.Name}
	_, err := e.DeleteKernel(t.Context(), p)
	wantCode(t, "while in use", err, model.CodeConflict)
	if !strings.Contains(err.Error(), "image debian, VM web") {
		t.Errorf("got %v", err)
	}
	read(t, filepath.Join(k.Dir, model.VmlinuxFile))

	users = nil
	if got, err := e.DeleteKernel(t.Context(), p); err != nil || got != k {
		t.Errorf("got %+v, %v", got, err)
	}
	e.wantNothing(t)
	_, err = e.DeleteKernel(t.Context(), p)
	wantCode(t, "a second time", err, model.CodeNotFound)
}

func TestRecover(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	if err := e.Recover(t.Context()); err != nil {
		t.Errorf("of an empty state: %v", err)
	}
	k := e.pull(t, "")
	initramfs, err := e.Initramfs(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	cache := e.cfg.Paths.Initramfs()
	old := filepath.Join(cache, "0123.cpio")
	for _, path := range []string{
		filepath.Join(e.cfg.Paths.Kernels(), "debian-12.staging", "vmlinux"),
		filepath.Join(e.cfg.Paths.Kernels(), "without-row", "vmlinux"),
		filepath.Join(cache, ".half.cpio123"), old,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	year := time.Now().AddDate(-1, 0, 0)
	if err := os.Chtimes(old, year, year); err != nil {
		t.Fatal(err)
	}
	if err := e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{k.Name}, e.onDisk(t)); diff != "" {
		t.Errorf("kernels: (-want +got)\n%s", diff)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{initramfs}, left); diff != "" {
		t.Errorf("initial file systems: (-want +got)\n%s", diff)
	}
}
