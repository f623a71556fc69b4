package kernelcat

import (
	"context"
	"runtime"

	"banger/internal/kernelcat/apt"
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
}

// Packages gets a distribution's packages; *apt.Client does.
type Packages interface {
	Download(ctx context.Context, req apt.Request, dir string, note func(string)) (apt.Result, error)
}

// Config is what a Service works with.
type Config struct {
	Paths      model.Paths
	Store      Store
	Operations *operation.Service
	Packages   Packages
	AgentPath  string // static banger-agent of the guests' architecture
	Arch       string // of the guests, as GOARCH names it; default: the host's

	// Catalog replaces the built-in one when it is not nil.
	Catalog *Catalog
	// Users names the images and VMs that need a kernel; nil: none do.
	Users func(ctx context.Context, kernel string) ([]string, error)
}

// Service implements rpc.KernelAPI, one operation in each file, and gives
// the other services kernels and initial file systems.
type Service struct {
	cfg     Config
	catalog Catalog // of cfg.Arch
	agent   agentDigest
}

// New returns a service. It fails when the built-in catalog is damaged.
func New(cfg Config) (*Service, error) {
	if cfg.Arch == "" {
		cfg.Arch = runtime.GOARCH
	}
	if cfg.Catalog == nil {
		c, err := ParseCatalog(embeddedCatalog)
		if err != nil {
			return nil, err
		}
		cfg.Catalog = &c
	}
	return &Service{cfg: cfg, catalog: cfg.Catalog.forArch(cfg.Arch)}, nil
}

// lockKey is the key that work on one kernel is serialized by.
func lockKey(name string) string { return "kernel/" + name }
