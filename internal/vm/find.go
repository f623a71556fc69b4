package vm

import (
	"context"
	"slices"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

// ListVMs returns all VMs, the oldest first.
func (s *Service) ListVMs(ctx context.Context) ([]model.VM, error) {
	return s.cfg.Store.VMs(ctx)
}

// ListVMSummaries returns what a list shows of all VMs, the oldest first.
func (s *Service) ListVMSummaries(ctx context.Context) ([]model.VMSummary, error) {
	return s.cfg.Store.VMSummaries(ctx)
}

// ShowVM returns one VM.
func (s *Service) ShowVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	return s.find(ctx, p.Name)
}

// shownNames is how many names a hint lists.
const shownNames = 8

// find returns the VM of a name, an id or a unique prefix of either. A name
// that does not exist is answered with the nearest ones.
func (s *Service) find(ctx context.Context, name string) (model.VM, error) {
	vm, err := s.cfg.Store.VM(ctx, name)
	if model.CodeOf(err) != model.CodeNotFound {
		return vm, err
	}
	names := s.names(ctx)
	switch begun := beginningWith(name, names); len(begun) {
	case 0:
		return model.VM{}, noVM(name, model.Nearest(name, names))
	case 1:
		return s.cfg.Store.VM(ctx, begun[0])
	default:
		return model.VM{}, model.Errorf(model.CodeConflict, "%q begins the names of %d VMs", name, len(begun)).
			WithHint("say which: %s", strings.Join(begun[:min(len(begun), shownNames)], ", "))
	}
}

// findWhole returns the VM of a whole name, an id or enough of an id.
// It is for what cannot be taken back: a script that removes web twice must not
// hit web2 the second time.
func (s *Service) findWhole(ctx context.Context, name string) (model.VM, error) {
	vm, err := s.cfg.Store.VM(ctx, name)
	if err == nil && !model.NamesExactly(name, vm.Name, vm.ID) {
		return model.VM{}, noVM(name, []string{vm.Name})
	}
	if model.CodeOf(err) != model.CodeNotFound {
		return vm, err
	}
	names := s.names(ctx)
	near := beginningWith(name, names)
	if len(near) == 0 {
		near = model.Nearest(name, names)
	}
	return model.VM{}, noVM(name, near[:min(len(near), shownNames)])
}

// noVM is the error of a name that does not exist but is near others.
func noVM(name string, near []string) error {
	missing := model.Errorf(model.CodeNotFound, "there is no VM %q", name)
	if len(near) > 0 {
		return missing.WithHint("did you mean %s? `banger ps` lists all VMs", strings.Join(near, " or "))
	}
	return missing.WithHint("`banger ps` lists all VMs, `banger vm create` makes one")
}

// names returns the names of all VMs, for hints: none when they can't be read.
func (s *Service) names(ctx context.Context) []string {
	all, err := s.cfg.Store.VMSummaries(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(all))
	for i, vm := range all {
		names[i] = vm.Name
	}
	return names
}

// beginningWith returns the names that begin with prefix.
func beginningWith(prefix string, names []string) []string {
	if prefix == "" {
		return nil
	}
	var found []string
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	return found
}

// ImageUsers returns the names of the VMs that use an image.
func (s *Service) ImageUsers(ctx context.Context, imageID string) ([]string, error) {
	return s.users(ctx, func(vm model.VM) bool { return vm.ImageID == imageID })
}

// KernelUsers returns the names of the VMs that boot or have chosen a kernel.
func (s *Service) KernelUsers(ctx context.Context, kernel string) ([]string, error) {
	return s.users(ctx, func(vm model.VM) bool {
		return vm.Spec.Kernel == kernel || vm.Runtime.Kernel == kernel ||
			vm.FallbackKernel != nil && *vm.FallbackKernel == kernel
	})
}

func (s *Service) users(ctx context.Context, uses func(model.VM) bool) ([]string, error) {
	all, err := s.cfg.Store.VMs(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, vm := range all {
		if uses(vm) {
			names = append(names, vm.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
