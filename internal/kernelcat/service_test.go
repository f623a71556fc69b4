package kernelcat_test

import (
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

func (m *memStore) UpdateKernel(_ context.Context, k model.Kernel) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[k.Name]; !ok {
		return model.Errorf(model.CodeNotFound, "no kernel %s", k.Name)
	}
	m.rows[k.Name] = k
	return nil
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
