package buildvm

import (
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"banger/internal/cgroup"
	"banger/internal/keeper"
	"banger/internal/model"
	"banger/internal/quota"
	"banger/internal/vmm"
)

// Kernels gives a VM what it boots.
type Kernels interface {
	// EnsureKernel returns the kernel of that name, "" being the default one,
	// which is pulled when it is not here.
	EnsureKernel(ctx context.Context, name string, report model.Report) (model.Kernel, error)
	// Initramfs returns the path of the initramfs for k.
	Initramfs(ctx context.Context, k model.Kernel) (string, error)
	// InitramfsFor is Initramfs for a kernel given by paths.
	InitramfsFor(ctx context.Context, files model.BootFiles) (string, error)
}

// Config is what a Service works with. Driver, Kernels and RunDir are
// needed.
type Config struct {
	Driver  vmm.Driver
	Kernels Kernels
	// RunDir holds the sockets, one directory a VM; a short path.
	RunDir string
	// Keeper keeps consoles short when the daemon has ended; nil: nobody does.
	Keeper *keeper.Keeper
	// Limits bounds what the process of a VM may use of this host; nil: nothing.
	Limits *cgroup.Manager
	// Memory and Disks bound what all VMs may have together, those of builds
	// among them; nil: nothing does.
	Memory *quota.Memory
	Disks  *quota.Disk
	Log    *slog.Logger
	// BootTimeout bounds one boot; zero: 60 s on TCG, 20 s on KVM.
	BootTimeout time.Duration
	// StallLimit bounds waiting for room on the host's disk; zero: 10 s.
	StallLimit time.Duration
}

// Service boots transient VMs. Call Recover before the first With.
type Service struct {
	cfg   Config
	slots chan struct{} // as many VMs at once as there are processors
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.StallLimit == 0 {
		cfg.StallLimit = 10 * time.Second
	}
	return &Service{cfg: cfg, slots: make(chan struct{}, max(2, runtime.NumCPU()))}
}

// Defaults of a VM's shape.
const (
	DefaultCPUs      = 2
	DefaultMemoryMiB = 1024
	minMemoryMiB     = 128 // what a distribution's kernel and the agent need
)

// Spec is a VM to be. All paths are absolute.
type Spec struct {
	// Rootfs is an ext4 image that nobody else uses. The guest writes to it; a
	// file that is larger than its filesystem is filled by the guest.
	Rootfs string
	// Console is a file that the serial console is appended to. It is kept
	// short, and stays for whoever wants to read it.
	Console string

	Kernel string          // of the catalog; "": the default one
	Boot   model.BootFiles // in place of Kernel when it is not empty

	CPUs      int               // 0: DefaultCPUs, or what the host has
	MemoryMiB int               // 0: DefaultMemoryMiB
	Network   model.NetworkMode // none, or user: outgoing connections, DNS; "" is none
}

// Check refuses what no VM can be.
func (s Spec) Check() error {
	switch {
	case s.Network != "" && s.Network != model.NetNone && s.Network != model.NetUser:
		return model.Errorf(model.CodeInvalid, "network %q: none or user is wanted", s.Network)
	case s.MemoryMiB != 0 && s.MemoryMiB < minMemoryMiB:
		return model.Errorf(model.CodeInvalid, "memory is %d MiB: a guest needs at least %d", s.MemoryMiB, minMemoryMiB)
	case s.CPUs < 0:
		return model.Errorf(model.CodeInvalid, "%d processors: a guest needs at least one", s.CPUs)
	}
	return nil
}

// withDefaults decides what was left open.
func (s Spec) withDefaults() Spec {
	if s.CPUs == 0 {
		s.CPUs = min(DefaultCPUs, runtime.NumCPU())
	}
	if s.MemoryMiB == 0 {
		s.MemoryMiB = DefaultMemoryMiB
	}
	if s.Network == "" {
		s.Network = model.NetNone
	}
	return s
}

func (s *Service) runDir(generation string) string { return filepath.Join(s.cfg.RunDir, generation) }

// recordPath is where a VM's process is written down, beside its sockets.
func (s *Service) recordPath(generation string) string { return s.runDir(generation) + ".json" }
