package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

// Hook is a capability: what one feature does in the life of a VM. A feature
// is one file that returns a Hook; the operations know none of them. Every
// field but Name may be nil.
//
//	create  Plan, then the row and the root disk, then Create
//	start   the row says starting, Configure, Prepare, the process, its agent, Ready
//	end     the process is gone, Stop, the row says stopped
//	delete  the row says deleting, Delete, the directory, the row
//
// Hooks run in their order and are undone in reverse. What undoes (Stop,
// Delete) may be called again after a crash at any point, for what was never
// done too, and in a later daemon: it works from the VM alone.
type Hook struct {
	Name string // of the feature, as errors call it

	// Plan lays what the user asked for into the spec of a VM to be, or
	// refuses it. Nothing of the VM exists yet.
	Plan func(ctx context.Context, p rpc.VMCreateParams, img model.Image, spec *model.VMSpec) error
	// Create makes what the VM keeps beside its root disk; Delete undoes it,
	// unless it is in the VM's directory, which is removed anyway.
	Create func(ctx context.Context, vm model.VM, img model.Image) error
	// Configure adds devices and what the guest is told of them. It is pure.
	Configure func(vm model.VM, plan *Plan) error
	// Prepare takes or makes what the process needs on this host; Stop gives
	// it back. One that fails leaves nothing behind.
	Prepare func(ctx context.Context, vm model.VM) error
	// Ready finishes in the guest what Configure began; when it fails the
	// start has failed.
	Ready func(ctx context.Context, vm model.VM, agent *guest.Client) error
	// Stop is called when the VM's process is certainly gone.
	Stop func(ctx context.Context, vm model.VM) error
	// Delete removes what the VM has outside its directory.
	Delete func(ctx context.Context, vm model.VM) error
	// Doctor looks at what the feature needs of this host.
	Doctor func(ctx context.Context) []model.Check
}

// Plan is one start of a VM, as plain data.
type Plan struct {
	Machine vmm.Spec    // what the driver is given
	Guest   wire.Config // what the agent is told
}

// AddDisk attaches a disk and returns its device in the guest.
func (p *Plan) AddDisk(d vmm.Disk) (device string) {
	p.Machine.Disks = append(p.Machine.Disks, d)
	return diskDevice(len(p.Machine.Disks) - 1)
}

// diskDevice is the name of the i-th disk in the guest.
func diskDevice(i int) string { return "/dev/vd" + string(rune('a'+i)) }

// undoTime bounds what undoes one hook.
const undoTime = 5 * time.Second

// hooks are capabilities in the order in which they are applied.
type hooks []Hook

func (hs hooks) plan(ctx context.Context, p rpc.VMCreateParams, img model.Image, spec *model.VMSpec) error {
	for _, h := range hs {
		if h.Plan == nil {
			continue
		}
		if err := h.Plan(ctx, p, img, spec); err != nil {
			return err // it names what was asked for
		}
	}
	return nil
}

func (hs hooks) create(ctx context.Context, vm model.VM, img model.Image) error {
	for _, h := range hs {
		if h.Create == nil {
			continue
		}
		if err := h.Create(ctx, vm, img); err != nil {
			return fmt.Errorf("making the %s of VM %s: %w", h.Name, vm.Name, err)
		}
	}
	return nil
}

func (hs hooks) configure(vm model.VM, plan *Plan) error {
	for _, h := range hs {
		if h.Configure == nil {
			continue
		}
		if err := h.Configure(vm, plan); err != nil {
			return fmt.Errorf("planning the %s of VM %s: %w", h.Name, vm.Name, err)
		}
	}
	return nil
}

// prepare applies all or, when one fails, none.
func (hs hooks) prepare(ctx context.Context, vm model.VM) error {
	for i, h := range hs {
		if h.Prepare == nil {
			continue
		}
		if err := h.Prepare(ctx, vm); err != nil {
			err = fmt.Errorf("preparing the %s of VM %s: %w", h.Name, vm.Name, err)
			return errors.Join(err, hs[:i].stop(ctx, vm))
		}
	}
	return nil
}

func (hs hooks) ready(ctx context.Context, vm model.VM, agent *guest.Client) error {
	for _, h := range hs {
		if h.Ready == nil {
			continue
		}
		if err := h.Ready(ctx, vm, agent); err != nil {
			return fmt.Errorf("setting up the %s in the guest: %w", h.Name, err)
		}
	}
	return nil
}

// stop undoes prepare. All are tried, whatever becomes of the caller.
func (hs hooks) stop(ctx context.Context, vm model.VM) error {
	return hs.undo(ctx, vm, func(h Hook) func(context.Context, model.VM) error { return h.Stop })
}

// delete undoes create.
func (hs hooks) delete(ctx context.Context, vm model.VM) error {
	return hs.undo(ctx, vm, func(h Hook) func(context.Context, model.VM) error { return h.Delete })
}

func (hs hooks) undo(ctx context.Context, vm model.VM, step func(Hook) func(context.Context, model.VM) error) error {
	var errs []error
	for _, h := range slices.Backward(hs) {
		do := step(h)
		if do == nil {
			continue
		}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		if err := do(bounded, vm); err != nil {
			errs = append(errs, fmt.Errorf("undoing the %s of VM %s: %w", h.Name, vm.Name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// Doctor returns what the features find about this host.
func (s *Service) Doctor(ctx context.Context) []model.Check {
	var checks []model.Check
	for _, h := range s.hooks {
		if h.Doctor != nil {
			checks = append(checks, h.Doctor(ctx)...)
		}
	}
	return checks
}
