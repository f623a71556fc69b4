package vm

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// setting is one thing that SetVM can change.
type setting struct {
	name  string
	asked bool
	// apply changes vm. It is pure.
	apply func(vm *model.VM) error
	// live: it holds at once for a VM that runs; else from its next start on.
	live bool
}

// settings are all that can be changed, in the order in which they are told.
func settings(p rpc.VMSetParams) []setting {
	return []setting{
		{"cpus", p.CPUs != nil, func(vm *model.VM) error { vm.Spec.CPUs = *p.CPUs; return nil }, false},
		{"memory", p.MemoryMiB != nil, func(vm *model.VM) error { vm.Spec.MemoryMiB = *p.MemoryMiB; return nil }, false},
		{"kernel", p.Kernel != nil, func(vm *model.VM) error { setKernel(vm, *p.Kernel); return nil }, false},
		{"machine", p.Machine != nil, func(vm *model.VM) error { vm.Spec.Machine = *p.Machine; return nil }, false},
		{"hostname", p.Hostname != nil, func(vm *model.VM) error { vm.Spec.Hostname = firstOf(*p.Hostname, vm.Name); return nil }, false},
		{"disk", p.DiskBytes != nil, func(vm *model.VM) error { return setDisk(vm, *p.DiskBytes) }, true},
		{"work", p.WorkBytes != nil, func(vm *model.VM) error { return setWork(vm, *p.WorkBytes) }, true},
		{"restart", p.Restart != nil, func(vm *model.VM) error { return setRestart(vm, *p.Restart) }, true},
		{"ttl", p.TTLSeconds != nil, func(vm *model.VM) error { vm.Spec.Policy.TTLSeconds = *p.TTLSeconds; return nil }, true},
		{"idle-timeout", p.IdleSeconds != nil, func(vm *model.VM) error { vm.Spec.Policy.IdleSeconds = *p.IdleSeconds; return nil }, true},
		{"labels", len(p.Labels)+len(p.RemoveLabels) > 0, func(vm *model.VM) error { setLabels(vm, p); return nil }, true},
	}
}

// SetVM changes a VM's spec.
//
//	1 guard    something is asked for, and the kernel can be had     kernels/<name>
//	2 apply    the settings, and the spec is checked as a whole
//	3 record   row
//	4 grow     disks of a VM that runs
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
		return s.set(ctx, op, vm, p, asked)
	})
}

func askedSettings(p rpc.VMSetParams) []setting {
	var asked []setting
	for _, st := range settings(p) {
		if st.asked {
			asked = append(asked, st)
		}
	}
	return asked
}

// set needs the VM's lock.
func (s *Service) set(ctx context.Context, op *operation.Op, vm model.VM, p rpc.VMSetParams, asked []setting) (model.VMChange, error) {
	l, err := s.running(ctx, vm)
	if err != nil {
		return model.VMChange{}, err
	}
	img, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: vm.ImageID})
	if err != nil {
		return model.VMChange{}, err
	}
	changed, err := s.updateDisks(ctx, vm, func(vm *model.VM) error { // 2, 3
		for _, st := range asked {
			if err := st.apply(vm); err != nil {
				return err
			}
		}
		return cmp.Or(checkSpec(vm.Spec, img), checkPolicy(vm.Spec.Policy, vm.Spec.AutoRemove), s.cfg.Memory.Check(vm.Spec.MemoryMiB))
	})
	if err != nil {
		return model.VMChange{}, err
	}
	if l != nil && vm.Spec.Policy.TTLSeconds == 0 && vm.Spec.Policy.IdleSeconds == 0 {
		s.expire(ctx, changed, l) // until now there was nothing to watch
	}
	var late []string
	if l != nil {
		late = s.growDisks(ctx, op, changed, l, p) // 4
	}
	change := model.VMChange{VM: changed, Now: []string{}, Later: []string{}}
	for _, st := range asked {
		if l == nil || st.live && !slices.Contains(late, st.name) {
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
func setKernel(vm *model.VM, kernel string) {
	if vm.FallbackKernel == nil {
		old := vm.Spec.Kernel
		vm.FallbackKernel = &old
	}
	vm.Spec.Kernel = kernel
	if vm.Spec.Kernel == *vm.FallbackKernel {
		vm.FallbackKernel = nil
	}
}

func setRestart(vm *model.VM, text string) error {
	restart, limit, err := model.ParseRestart(text)
	vm.Spec.Policy.Restart, vm.Spec.Policy.MaxRestarts = restart, limit
	vm.Restarts = 0
	return err
}

func setLabels(vm *model.VM, p rpc.VMSetParams) {
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
