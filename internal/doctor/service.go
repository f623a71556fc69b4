package doctor

import (
	"context"
	"slices"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

var _ rpc.HealthAPI = (*Service)(nil)

// Store has the rows.
type Store interface {
	Images(ctx context.Context) ([]model.Image, error)
	Kernels(ctx context.Context) ([]model.Kernel, error)
	VMs(ctx context.Context) ([]model.VM, error)
	Volumes(ctx context.Context) ([]model.Volume, error)
	// Check reads through the whole database.
	Check(ctx context.Context) error
}

// VMs is what the VM service does about its part.
type VMs interface {
	// Mend makes rows, run directories and processes agree.
	Mend(ctx context.Context) error
	// Doctor returns what the features of VMs find about this host.
	Doctor(ctx context.Context) []model.Check
}

// Config is what a Service is made of.
type Config struct {
	Paths  model.Paths
	Store  Store
	VMs    VMs
	Driver vmm.Driver
	// Running returns how many operations are under way.
	Running func() int
}

// Service implements rpc.HealthAPI.
type Service struct{ cfg Config }

// New returns a Service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Doctor implements rpc.HealthAPI: one finding for each check, the good ones
// too. With Fix modes of directories are put right first, and then what
// CheckState can mend.
func (s *Service) Doctor(ctx context.Context, p rpc.CheckParams) ([]model.Check, error) {
	found := []model.Check{s.driver(ctx), s.kvm(ctx)}
	found = append(found, programs()...)
	found = append(found, s.space()...)
	found = append(found, s.directories(p.Fix)...)
	found = append(found, limits()...)
	found = append(found, s.cfg.VMs.Doctor(ctx)...)
	found = append(found, s.database(ctx))
	state, err := s.CheckState(ctx, p)
	if err != nil {
		return nil, err
	}
	return append(found, summary(state)), ctx.Err()
}

// summary makes one finding of all about the state.
func summary(state []model.Check) model.Check {
	bad := slices.DeleteFunc(slices.Clone(state), func(c model.Check) bool { return c.Level == model.CheckOK })
	if len(bad) == 0 {
		return ok("state", "rows, files and processes agree")
	}
	worst := bad[0]
	for _, c := range bad {
		if c.Level == model.CheckFail {
			worst = c
			break
		}
	}
	c := model.Check{Name: "state", Level: worst.Level, Message: worst.Message, Hint: "banger system check"}
	if len(bad) > 1 {
		c.Message += ", and more"
	}
	return c
}

func ok(name, message string) model.Check {
	return model.Check{Name: name, Level: model.CheckOK, Message: message}
}

func warn(name, message, hint string) model.Check {
	return model.Check{Name: name, Level: model.CheckWarn, Message: message, Hint: hint}
}

func fail(name, message, hint string) model.Check {
	return model.Check{Name: name, Level: model.CheckFail, Message: message, Hint: hint}
}
