package kernelcat

import (
	"context"
	"net/http"
	"runtime"

	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/artifact"
	"banger/internal/kernelcat/web"
	"banger/internal/model"
	"banger/internal/operation"
)

// Store keeps the rows of kernels; *store.Store does.
type Store interface {
	// InsertKernel is CodeConflict when the name is taken.
	InsertKernel(ctx context.Context, k model.Kernel) error
	// Kernel is CodeNotFound when there is none of the name.
	Kernel(ctx context.Context, name string) (model.Kernel, error)
	// Kernels returns all of them, by name.
	Kernels(ctx context.Context) ([]model.Kernel, error)
	// DeleteKernel is CodeNotFound when there is none of the name.
	DeleteKernel(ctx context.Context, name string) error
	// UpdateKernel replaces the row of k's name; CodeNotFound when there is none.
	UpdateKernel(ctx context.Context, k model.Kernel) error
}

// Packages gets a distribution's packages; *apt.Client does.
type Packages interface {
	Download(ctx context.Context, req apt.Request, dir string, note func(string)) (apt.Result, error)
}

// Artifacts keeps kernels in OCI registries; *artifact.Client does.
type Artifacts interface {
	Pull(ctx context.Context, ref, dir string, accept func(artifact.Info) error, note func(string)) (artifact.Pulled, error)
	Push(ctx context.Context, ref string, info artifact.Info, parts []artifact.Part, note func(string)) (string, error)
}

// Config is what a Service works with.
type Config struct {
	Paths      model.Paths
	Store      Store
	Operations *operation.Service
	Packages   Packages
	AgentPath  string // static banger-agent of the guests' architecture
	Arch       string // of the guests, as GOARCH names it; default: the host's

	// CatalogDir holds the user's own catalog files, *.json; "": there are none.
	CatalogDir string
	// Registry is where artifacts are whose references begin with "/":
	// HOST[/PREFIX]; "": nowhere.
	Registry  string
	Artifacts Artifacts         // nil: sources in registries are not supported
	Tester    Tester            // nil: kernels are not tested here
	Web       http.RoundTripper // for sources by URL; default web.NewTransport()
	HostRoot  string            // of the host's own kernel; default "/"
	// Users names the images and VMs that need a kernel, which may be the
	// default one; nil: none do.
	Users func(ctx context.Context, kernel string, isDefault bool) ([]string, error)
}

// Service implements rpc.KernelAPI, one operation in each file, and gives
// the other services kernels and initial file systems.
type Service struct {
	cfg   Config
	agent agentDigest
}

// New returns a service. It fails when the built-in catalog is damaged.
func New(cfg Config) (*Service, error) {
	if cfg.Arch == "" {
		cfg.Arch = runtime.GOARCH
	}
	if cfg.Web == nil {
		cfg.Web = web.NewTransport()
	}
	if _, err := ParseCatalog(embeddedCatalog); err != nil {
		return nil, err
	}
	return &Service{cfg: cfg}, nil
}

// loadCatalog reads the catalog of this architecture. It is read anew for
// each call, so that an edited file counts at once, and a bad one stops what
// needs it and nothing else.
func (s *Service) loadCatalog() (Catalog, error) {
	c, err := LoadCatalog(s.cfg.CatalogDir)
	return c.forArch(s.cfg.Arch), err
}

// lockKey is the key that work on one kernel is serialized by.
func lockKey(name string) string { return "kernel/" + name }
