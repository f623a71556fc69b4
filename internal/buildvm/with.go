package buildvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
)

// Times of a VM's end.
const (
	shutdownGrace = 10 * time.Second // for processes that a step left behind
	powerOffTime  = 20 * time.Second // beyond that, to sync and switch off
	killTime      = 10 * time.Second
)

// With boots spec, lets do work in the guest, and ends the VM.
//
//	slot     not too many at once
//	quota    its memory and its disk fit beside those of all VMs
//	kernel   what it boots is found, or pulled
//	boot     limits, the process, its record, the agent; the guest is told who it is
//	do       the caller's
//	off      the guest ends its processes, unmounts and switches itself off
//	remove   process, sockets, control group, record
//
// After an error, and when ctx ends, the VM is killed in place of "off". A
// guest that goes away while do works is CodeBoot, with the end of its console.
func (s *Service) With(ctx context.Context, spec Spec, report model.Report, do func(ctx context.Context, g *Guest) error) (err error) {
	if err := spec.Check(); err != nil {
		return err
	}
	spec = spec.withDefaults()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	generation := model.NewID()
	leave, err := s.admit(ctx, spec, generation)
	if err != nil {
		return err
	}
	defer leave()
	boot, err := s.findBoot(ctx, spec, report)
	if err != nil {
		return err
	}
	m, err := s.launch(ctx, spec, boot, generation, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.remove(context.WithoutCancel(ctx), m)) }()
	return s.use(ctx, m, do)
}

// admit counts the VM in the quotas until leave is called.
func (s *Service) admit(ctx context.Context, spec Spec, generation string) (leave func(), err error) {
	info, err := os.Stat(spec.Rootfs)
	if err != nil {
		return nil, fmt.Errorf("looking at the disk of the build's VM: %w", err)
	}
	if err := s.cfg.Memory.Build(ctx, vmID(generation), spec.MemoryMiB); err != nil {
		return nil, quotaError(err)
	}
	letGo, err := s.cfg.Disks.Hold(ctx, info.Size())
	if err != nil {
		s.cfg.Memory.End(vmID(generation))
		return nil, quotaError(err)
	}
	return func() {
		letGo()
		s.cfg.Memory.End(vmID(generation))
	}, nil
}

func quotaError(err error) error {
	return model.Errorf(model.CodeOf(err), "a VM for the build: %w", err)
}

// bootSet is what a guest boots.
type bootSet struct {
	kernel, initrd string
	machine        model.MachineType
}

func (s *Service) findBoot(ctx context.Context, spec Spec, report model.Report) (bootSet, error) {
	if spec.Boot.Kernel != "" {
		initrd, err := s.cfg.Kernels.InitramfsFor(ctx, spec.Boot)
		return bootSet{kernel: spec.Boot.Kernel, initrd: initrd}, err
	}
	k, err := s.cfg.Kernels.EnsureKernel(ctx, spec.Kernel, report)
	if err != nil {
		return bootSet{}, err
	}
	initrd, err := s.cfg.Kernels.Initramfs(ctx, k)
	return bootSet{filepath.Join(k.Dir, model.VmlinuxFile), initrd, k.Machine(spec.CPUs)}, err
}

// machine is a VM whose process runs.
type machine struct {
	vmm.Machine
	spec vmm.Spec
	gone chan struct{} // closed when the process has ended
	exit vmm.Exit      // how; to be read when gone is closed
	// timeout bounds the boot.
	timeout time.Duration
}

// launch starts the process, watched, limited and recorded. On error nothing
// is left.
func (s *Service) launch(ctx context.Context, spec Spec, boot bootSet, generation string, report model.Report) (*machine, error) {
	features, err := s.cfg.Driver.Features(ctx)
	if err != nil {
		return nil, err
	}
	if features.Why != "" {
		report(model.Progress{Note: "VMs are emulated here, which is slower: " + features.Why})
	}
	plan := planMachine(spec, boot, generation, s.cfg.RunDir)
	if spec.Network == model.NetUser && !features.UserNet {
		return nil, model.Errorf(model.CodeUnsupported, "driver %s has no user-mode network here", features.Driver).
			WithHint("see banger doctor, or build with --network none")
	}
	if s.cfg.Limits != nil {
		plan.Cgroups = s.cfg.Limits.Dirs(plan.ID)
	}
	if err := s.prepare(ctx, plan, features.Accel); err != nil {
		return nil, errors.Join(err, s.clear(ctx, plan.Generation))
	}
	started, err := s.cfg.Driver.Start(ctx, plan)
	if err != nil {
		return nil, errors.Join(err, s.clear(context.WithoutCancel(ctx), plan.Generation))
	}
	m := &machine{Machine: started, spec: plan, gone: make(chan struct{}), timeout: s.bootTimeout(features.Accel)}
	go m.watch(context.WithoutCancel(ctx))
	err = failpoint.Hit(ctx, "build.vm/launched")
	if err == nil {
		err = s.keepRecord(m.Record())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recording the build's VM: %w", err), s.remove(context.WithoutCancel(ctx), m))
	}
	return m, nil
}

// prepare makes what the process needs of this host.
func (s *Service) prepare(ctx context.Context, plan vmm.Spec, accel string) error {
	if err := os.MkdirAll(plan.RunDir, 0o700); err != nil {
		return fmt.Errorf("making the run directory of the build's VM: %w", err)
	}
	if err := s.cfg.Keeper.Ensure(ctx); err != nil {
		return err
	}
	if s.cfg.Limits != nil {
		if err := s.cfg.Limits.Make(ctx, plan.ID, planLimits(plan, accel)); err != nil {
			return err
		}
	}
	return failpoint.Hit(ctx, "build.vm/prepared")
}

func (s *Service) bootTimeout(accel string) time.Duration {
	switch {
	case s.cfg.BootTimeout > 0:
		return s.cfg.BootTimeout
	case accel == "kvm":
		return 20 * time.Second
	default:
		return time.Minute
	}
}

// watch waits for the end of the process and keeps its console short.
func (m *machine) watch(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer close(m.gone)
	defer cancel()
	go console.KeepShort(ctx, m.spec.Console)
	m.exit, _ = m.Wait(ctx)
}

// remove ends the process, if it still runs, and takes away what was prepared
// for it. A process that cannot be ended keeps its record.
func (s *Service) remove(ctx context.Context, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	if err := m.Kill(ctx); err != nil {
		return model.Errorf(model.CodeInternal, "ending the build's VM: %w", err)
	}
	select {
	case <-m.gone:
	case <-ctx.Done():
		return model.Errorf(model.CodeTimeout, "the build's VM has not ended within %s of being killed", killTime)
	}
	return errors.Join(m.Close(), s.clear(ctx, m.spec.Generation))
}

// clear removes what a VM without a process leaves. The record goes last.
func (s *Service) clear(ctx context.Context, generation string) error {
	var err error
	if s.cfg.Limits != nil {
		err = s.cfg.Limits.Remove(ctx, vmID(generation))
	}
	if err := errors.Join(err, os.RemoveAll(s.runDir(generation))); err != nil {
		return fmt.Errorf("clearing up after the build's VM: %w", err)
	}
	return os.RemoveAll(s.recordPath(generation))
}
