package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

// StartVM boots a VM; one that runs already is returned as it is.
//
//	1 guard    its state allows it
//	2 find     kernel and initramfs                           kernels/<name>, initramfs
//	3 intend   row, state starting, with a new generation     row
//	4 prepare  what the features need of this host
//	5 process  the driver starts it                           run/vm/<generation>, a process
//	6 record   the process's identity                         row
//	7 agent    it answers, or the boot is tried once more
//	8 tell     the guest its name, network, time, disks
//	9 ready    row, state running
//
// 7 to 9 are in bringup.go. A failure from 3 on kills the process, undoes 4 and
// leaves the VM failed, with the reason and the end of its console in the error.
func (s *Service) StartVM(ctx context.Context, p rpc.NameParams, report model.Report) (model.VM, error) {
	return operation.Do(ctx, s.cfg.Ops, "vm.start", p.Name, report, func(ctx context.Context, op *operation.Op) (model.VM, error) {
		vm, unlock, err := s.lockNamed(ctx, p.Name)
		if err != nil {
			return vm, err
		}
		defer unlock()
		s.comebacks.cancel(vm.ID)
		return s.start(ctx, op, vm)
	})
}

// start needs the VM's lock.
func (s *Service) start(ctx context.Context, op *operation.Op, vm model.VM) (model.VM, error) {
	l, err := s.running(ctx, vm) // 1
	if err != nil {
		return vm, err
	}
	if l != nil {
		now, err := s.cfg.Store.VM(ctx, vm.ID)
		if err != nil {
			return vm, err
		}
		return now, refusePaused(now)
	}
	if err := failpoint.Hit(ctx, "vm.start/guarded"); err != nil {
		return vm, err
	}
	driver, err := s.pickDriver(ctx, vm.Spec.Driver)
	if err != nil {
		return vm, err
	}
	if driver.features.Why != "" {
		op.Report(model.Progress{Note: "VMs are emulated here, which is slower: " + driver.features.Why})
	}
	op.Stage("kernel")
	boot, err := s.bootSetFor(ctx, vm, op.Report) // 2
	if err != nil {
		return vm, err
	}
	if err := failpoint.Hit(ctx, "vm.start/found"); err != nil {
		return vm, err
	}
	op.Stage("boot")
	return s.bootOrFallBack(ctx, op, vm, driver, boot)
}

// bootRetrying boots, and once more when the guest has not answered in time:
// a loaded host can make a healthy guest late or stuck in its timer setup. A
// guest that ended by itself would end again.
func (s *Service) bootRetrying(ctx context.Context, op *operation.Op, vm model.VM, driver picked, boot bootSet) (model.VM, error) {
	booted, err := s.boot(ctx, vm, driver, boot)
	if err == nil || !errors.Is(err, errLate) || ctx.Err() != nil {
		return booted, err
	}
	op.Report(model.Progress{Note: fmt.Sprintf("%s has not answered within %s: booting it once more", vm.Name, s.bootTimeout(driver))})
	return s.boot(ctx, vm, driver, boot)
}

// boot is one try.
func (s *Service) boot(ctx context.Context, vm model.VM, driver picked, boot bootSet) (model.VM, error) {
	vm, err := s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error { // 3
		vm.State, vm.Reason = model.VMStarting, ""
		vm.Runtime = model.VMRuntime{
			Generation: model.NewID(), Kernel: boot.name,
			Driver: driver.features.Driver, Accel: driver.features.Accel,
		}
		vm.Runtime.Limits = limitsText(s.cfg.Limits, planLimits(*vm))
		return nil
	})
	if err != nil {
		return vm, err
	}
	plan, err := s.planStart(vm, boot)
	if err != nil {
		s.abandon(ctx, vm, err)
		return vm, err
	}
	leave, err := s.admit(ctx)
	if err != nil {
		s.abandon(ctx, vm, err)
		return vm, err
	}
	defer leave()
	l, err := s.launch(ctx, vm, driver, plan.Machine) // 4, 5, 6
	if err != nil {
		s.abandon(ctx, vm, err)
		return vm, err
	}
	booted, err := s.bringUp(ctx, vm, l, plan.Guest, s.bootTimeout(driver), leave) // 7, 8, 9
	if err == nil {
		s.expire(ctx, booted, l)
		return booted, nil
	}
	err = bootError(vm, err)
	l.expect(model.VMFailed, err.Error())
	if killErr := s.kill(ctx, l); killErr != nil {
		err = errors.Join(err, killErr)
	}
	return vm, err
}

// planStart puts together what this start is made of.
func (s *Service) planStart(vm model.VM, boot bootSet) (Plan, error) {
	plan := Plan{Machine: planMachine(vm, boot, s.runDir(vm.Runtime.Generation)), Guest: planGuest(vm)}
	err := s.hooks.configure(vm, &plan)
	if boot.modules != "" { // last: the other disks have the names that they have without it
		plan.Guest.Modules = plan.AddDisk(vmm.Disk{Path: boot.modules, Format: vmm.Raw, ReadOnly: true})
	}
	slices.SortStableFunc(plan.Guest.Mounts, func(a, b wire.Mount) int { return cmp.Compare(a.Path, b.Path) }) // outer ones first
	return plan, err
}

// launch starts the process, with what the features need prepared. Once there
// is a process, its end undoes that.
func (s *Service) launch(ctx context.Context, vm model.VM, driver picked, spec vmm.Spec) (*live, error) {
	if err := failpoint.Hit(ctx, "vm.start/intended"); err != nil {
		return nil, err
	}
	if err := disksThere(vm, spec.Disks); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(spec.RunDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the run directory of VM %s: %w", vm.Name, err)
	}
	if err := s.hooks.prepare(ctx, vm); err != nil {
		return nil, errors.Join(err, os.RemoveAll(spec.RunDir))
	}
	m, err := startIn(ctx, driver, spec)
	if err != nil {
		return nil, errors.Join(err, s.hooks.stop(ctx, vm), os.RemoveAll(spec.RunDir))
	}
	return s.launched(ctx, vm, m, spec)
}

// startIn starts the process once all is prepared for it.
func startIn(ctx context.Context, driver picked, spec vmm.Spec) (vmm.Machine, error) {
	if err := failpoint.Hit(ctx, "vm.start/prepared"); err != nil {
		return nil, err
	}
	return driver.Start(ctx, spec)
}

// launched makes a process known and records it.
func (s *Service) launched(ctx context.Context, vm model.VM, m vmm.Machine, spec vmm.Spec) (*live, error) {
	l := newLive(vm.ID, vm.Runtime.Generation, m)
	s.adopt(ctx, l, consolePath(vm))
	if err := s.recordProcess(ctx, vm.ID, m.Record().Process, spec); err != nil {
		l.expect(model.VMFailed, err.Error())
		return nil, errors.Join(err, s.kill(ctx, l))
	}
	return l, nil
}

// recordProcess makes a process one that the next daemon finds.
func (s *Service) recordProcess(ctx context.Context, id string, process model.ProcessID, spec vmm.Spec) error {
	if err := failpoint.Hit(ctx, "vm.start/launched"); err != nil {
		return err
	}
	_, err := s.cfg.Store.UpdateVM(ctx, id, func(vm *model.VM) error {
		vm.Runtime.Process, vm.Runtime.Machine = process, spec.Machine
		for _, d := range spec.Disks {
			vm.Runtime.Disks = append(vm.Runtime.Disks, d.Path)
		}
		return nil
	})
	return err
}

// abandon writes why a VM could not be started when there is no process whose
// end would do so.
func (s *Service) abandon(ctx context.Context, vm model.VM, cause error) {
	_, err := s.cfg.Store.UpdateVM(context.WithoutCancel(ctx), vm.ID, func(now *model.VM) error {
		if now.Runtime.Generation == vm.Runtime.Generation {
			now.State, now.Reason, now.Runtime = model.VMFailed, cause.Error(), model.VMRuntime{}
		}
		return nil
	})
	if err != nil && model.CodeOf(err) != model.CodeNotFound {
		s.cfg.Log.Error("recording a failed start", "vm", vm.Name, "err", err)
	}
}
