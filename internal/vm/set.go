package vm

import (
	"context"
	"maps"
	"strings"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// setting is one thing that SetVM can change.
type setting struct {
	name string
	// asked reports whether the caller wants it changed.
	asked func(p rpc.VMSetParams) bool
	// apply changes vm. It is pure.
	apply func(p rpc.VMSetParams, vm *model.VM)
	// live: it holds at once for a VM that runs; else from its next start on.
	live bool
}

// settings are all that can be changed, in the order in which they are told.
func settings() []setting {
	return []setting{
		{"cpus", func(p rpc.VMSetParams) bool { return p.CPUs != nil },
			func(p rpc.VMSetParams, vm *model.VM) { vm.Spec.CPUs = *p.CPUs }, false},
		{"memory", func(p rpc.VMSetParams) bool { return p.MemoryMiB != nil },
			func(p rpc.VMSetParams, vm *model.VM) { vm.Spec.MemoryMiB = *p.MemoryMiB }, false},
		{"kernel", func(p rpc.VMSetParams) bool { return p.Kernel != nil }, setKernel, false},
		{"hostname", func(p rpc.VMSetParams) bool { return p.Hostname != nil },
			func(p rpc.VMSetParams, vm *model.VM) { vm.Spec.Hostname = firstOf(*p.Hostname, vm.Name) }, false},
		{"labels", func(p rpc.VMSetParams) bool { return len(p.Labels)+len(p.RemoveLabels) > 0 }, setLabels, true},
	}
}

// SetVM changes a VM's spec.
//
//	1 guard    something is asked for, and the kernel can be had     kernels/<name>
//	2 apply    the settings, and the spec is checked as a whole
//	3 record   row
func (s *Service) SetVM(ctx context.Context, p rpc.VMSetParams, report model.Report) (model.VMChange, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.set", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VMChange, error) {
		vm, unlock, err := s.lockNamed(ctx, p.Name)
		if err != nil {
			return model.VMChange{}, err
		}
		defer unlock()
		asked := askedSettings(p) // 1
		if len(asked) == 0 {
			return model.VMChange{}, model.Errorf(model.CodeInvalid, "nothing is to be changed of VM %s", vm.Name).
				WithHint("banger vm set --help lists what can be")
		}
		if p.Kernel != nil && *p.Kernel != "" {
			op.Stage("kernel")
			if _, err := s.cfg.Kernels.EnsureKernel(ctx, *p.Kernel, op.Report); err != nil {
				return model.VMChange{}, err
			}
		}
		return s.set(ctx, vm, p, asked)
	})
}

func askedSettings(p rpc.VMSetParams) []setting {
	var asked []setting
	for _, st := range settings() {
		if st.asked(p) {
			asked = append(asked, st)
		}
	}
	return asked
}

// set needs the VM's lock.
func (s *Service) set(ctx context.Context, vm model.VM, p rpc.VMSetParams, asked []setting) (model.VMChange, error) {
	l, err := s.running(ctx, vm)
	if err != nil {
		return model.VMChange{}, err
	}
	img, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: vm.ImageID})
	if err != nil {
		return model.VMChange{}, err
	}
	changed, err := s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error { // 2, 3
		for _, st := range asked {
			st.apply(p, vm)
		}
		return checkSpec(vm.Spec, img)
	})
	if err != nil {
		return model.VMChange{}, err
	}
	change := model.VMChange{VM: changed, Now: []string{}, Later: []string{}}
	for _, st := range asked {
		if st.live || l == nil {
			change.Now = append(change.Now, st.name)
		} else {
			change.Later = append(change.Later, st.name)
		}
	}
	s.rows.tell(model.Event{ID: vm.ID, Name: vm.Name, Action: "set", Detail: strings.Join(append(change.Now, change.Later...), ", ")})
	return change, nil
}

// setKernel remembers the kernel that is known to boot: the one before the
// first change, however often another is chosen.
func setKernel(p rpc.VMSetParams, vm *model.VM) {
	if vm.FallbackKernel == nil {
		old := vm.Spec.Kernel
		vm.FallbackKernel = &old
	}
	vm.Spec.Kernel = *p.Kernel
	if vm.Spec.Kernel == *vm.FallbackKernel {
		vm.FallbackKernel = nil
	}
}

func setLabels(p rpc.VMSetParams, vm *model.VM) {
	labels := maps.Clone(vm.Spec.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, key := range p.RemoveLabels {
		delete(labels, key)
	}
	maps.Copy(labels, p.Labels)
	vm.Spec.Labels = labels
}
