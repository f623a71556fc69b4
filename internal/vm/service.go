package vm

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"banger/internal/cgroup"
	"banger/internal/keeper"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/quota"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

var _ rpc.VMAPI = (*Service)(nil)

// Store keeps the rows of VMs.
type Store interface {
	InsertVM(ctx context.Context, vm model.VM) error
	VM(ctx context.Context, nameOrID string) (model.VM, error)
	VMs(ctx context.Context) ([]model.VM, error)
	VMSummaries(ctx context.Context) ([]model.VMSummary, error)
	UpdateVM(ctx context.Context, id string, change func(*model.VM) error) (model.VM, error)
	DeleteVM(ctx context.Context, id string) error
}

// Images gives a VM its root filesystem.
type Images interface {
	// EnsureImage returns a local image by name or id, or pulls the reference
	// for the platform.
	EnsureImage(ctx context.Context, nameOrRef, platform string, report model.Report) (model.Image, error)
	// FindImage is EnsureImage without the pull.
	FindImage(ctx context.Context, nameOrRef string) (model.Image, error)
	// ShowImage returns a local image by name or id.
	ShowImage(ctx context.Context, p rpc.NameParams) (model.Image, error)
	// CommitDisk makes an image, called to, of the root disk of a VM that does
	// not run; flatten writes that disk to a file.
	CommitDisk(ctx context.Context, vm model.VM, to string, flatten func(ctx context.Context, dst string) error, report model.Report) (model.Image, error)
}

// Kernels gives a VM what it boots.
type Kernels interface {
	EnsureKernel(ctx context.Context, name string, report model.Report) (model.Kernel, error)
	// Initramfs returns the path of the initramfs for k.
	Initramfs(ctx context.Context, k model.Kernel) (string, error)
	// InitramfsFor is Initramfs for a kernel given by paths.
	InitramfsFor(ctx context.Context, files model.BootFiles) (string, error)
	// ModulesDisk returns the path of a disk with the modules of k; "" when it
	// has none.
	ModulesDisk(ctx context.Context, k model.Kernel) (string, error)
}

// Config is what a Service is made of.
type Config struct {
	Paths   model.Paths
	Store   Store
	Images  Images
	Kernels Kernels
	Ops     *operation.Service
	// Events is told what happens to VMs; may be nil.
	Events  Events
	Volumes Volumes // nil: there are none
	// Drivers are tried in order for a VM that names none.
	Drivers []vmm.Driver
	// Hooks are capabilities beyond the built-in ones, applied after them.
	Hooks []Hook
	Log   *slog.Logger
	// Keeper keeps consoles short when the daemon has ended; nil: nobody does.
	Keeper *keeper.Keeper
	// Limits bounds what the process of a VM may use of this host; nil: nothing.
	Limits *cgroup.Manager
	// Memory bounds what all VMs that run may have together; nil: nothing does.
	Memory *quota.Memory
	// Disks bounds what all disks may have; nil: nothing does.
	Disks *quota.Disk
	// ImageLeft is told when a VM is no longer made of an image; may be nil.
	ImageLeft func(ctx context.Context, imageID string)
	// BootTimeout bounds one try to boot; zero: 60 s on TCG, 20 s on KVM.
	BootTimeout time.Duration
	Now         func() time.Time
}

// Service runs VMs.
type Service struct {
	cfg   Config
	rows  *recorder // cfg.Store
	hooks hooks
	// boots lets as many guests boot at once as there are processors: more
	// only makes each of them slower and pushes them past their deadlines.
	boots chan struct{}

	mu   sync.Mutex
	live map[string]*live // by VM id; entries are removed by watch alone

	comebacks comebacks
	seekers   comebacks // of VMs that are unknown
}

// New makes a Service. Call Recover before the first request.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	rows := newRecorder(cfg.Store, cfg.Events)
	cfg.Store = rows
	return &Service{
		cfg:   cfg,
		rows:  rows,
		hooks: append(builtIn(cfg), cfg.Hooks...),
		boots: make(chan struct{}, runtime.NumCPU()),
		live:  map[string]*live{},
	}
}

// builtIn are the capabilities that every VM has.
func builtIn(cfg Config) hooks {
	all := hooks{rootHook(), workHook(), networkHook(), policyHook(), commandHook(cfg.Log), quotaHook(cfg.Memory)}
	if cfg.Keeper != nil {
		all = append(all, keeperHook(cfg.Keeper))
	}
	if cfg.Limits != nil {
		all = append(all, limitsHook(cfg.Limits))
	}
	if cfg.Volumes != nil {
		all = append(all, volumesHook(cfg.Volumes, cfg.Paths.Volumes()))
	}
	return all
}

// LetGo lets go of the VMs that are up, without ending them: it is called
// before requests are canceled because the daemon stops.
// A VM that is booting is its operation's to undo.
func (s *Service) LetGo() { s.releaseAll((*live).wasUp) }

// Close lets go of all VMs without ending them. No request may be under way.
func (s *Service) Close() {
	s.seekers.close()
	s.comebacks.close()
	s.releaseAll(func(*live) bool { return true })
}

func (s *Service) releaseAll(which func(*live) bool) {
	s.mu.Lock()
	var all []*live
	for _, l := range s.live {
		if which(l) {
			all = append(all, l)
		}
	}
	s.mu.Unlock()
	for _, l := range all {
		l.release()
	}
}

// lock serializes what changes one VM.
func (s *Service) lock(ctx context.Context, id string) (func(), error) {
	return s.cfg.Ops.Lock(ctx, "vm/"+id)
}

// lockNamed finds a VM and locks it.
func (s *Service) lockNamed(ctx context.Context, name string) (model.VM, func(), error) {
	vm, err := s.find(ctx, name)
	if err != nil {
		return model.VM{}, nil, err
	}
	return s.lockFound(ctx, vm)
}

// lockFound locks a VM and reads its row again.
func (s *Service) lockFound(ctx context.Context, vm model.VM) (model.VM, func(), error) {
	unlock, err := s.lock(ctx, vm.ID)
	if err != nil {
		return model.VM{}, nil, err
	}
	vm, err = s.cfg.Store.VM(ctx, vm.ID)
	if err != nil {
		unlock()
		return model.VM{}, nil, err
	}
	return vm, unlock, nil
}

// setState commits a VM's next state.
func (s *Service) setState(ctx context.Context, id string, state model.VMState, reason string) (model.VM, error) {
	return s.cfg.Store.UpdateVM(ctx, id, func(vm *model.VM) error {
		vm.State, vm.Reason = state, reason
		return nil
	})
}
