package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"banger/internal/buildvm"
	"banger/internal/cgroup"
	"banger/internal/config"
	"banger/internal/daemon"
	"banger/internal/doctor"
	"banger/internal/event"
	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/keeper"
	"banger/internal/kernelboot"
	"banger/internal/kernelcat"
	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/artifact"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/quota"
	"banger/internal/store"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
	"banger/internal/vmm/qemu"
	"banger/internal/volume"
)

// services are the parts of the daemon that this program opens.
type services struct {
	operations *operation.Service
	kernels    *kernelcat.Service
	tester     *kernelboot.Tester
	builds     *buildvm.Service
	images     *image.Service
	vms        *vm.Service
	volumes    *volume.Service
	db         *store.Store
	driver     vmm.Driver
	accel      *accelerator
	trimmer    *daemon.Trimmer
	events     *event.Log
	health     *doctor.Service
	consoles   *keeper.Keeper
}

// openServices makes the services, each of what it needs of the others.
func openServices(set settings, db *store.Store, log *slog.Logger) (*services, error) {
	paths := set.paths
	s := &services{
		db:      db,
		driver:  qemu.New(qemu.Config{Accel: set.accel, ProbeCache: paths.KVMVerdict()}),
		accel:   &accelerator{},
		trimmer: &daemon.Trimmer{},
		events:  event.New(paths.Events(), log),
	}
	s.operations = operation.New(operation.Config{Store: db, Log: log, Begun: s.events.Operation, Ended: s.operationEnded})
	agent, err := beside("banger-agent")
	if err != nil {
		return nil, err
	}
	memory := quota.NewMemory(int(quotaOf(set.config.VM.Memory)>>20), db)
	if err := s.openKernels(set, db, agent, memory); err != nil {
		return nil, err
	}
	limits := cgroup.Find()
	disks := quota.NewDisk(quotaOf(set.config.VM.Disk), db)
	s.consoles = consoleKeeper(paths)
	s.builds = buildvm.New(buildvm.Config{
		Driver: s.driver, Kernels: s.kernels, RunDir: paths.BuildRuns(), Limits: limits, Keeper: s.consoles, Memory: memory, Disks: disks, Log: log, BootTimeout: set.bootTimeout,
	})
	if err := s.openImages(set, db, log); err != nil {
		return nil, err
	}
	s.volumes = volume.New(volume.Config{Dir: paths.Volumes(), Store: db, Operations: s.operations, Disks: disks, Log: log})
	s.vms = vm.New(vm.Config{
		Paths:   paths,
		Store:   db,
		Images:  s.images,
		Kernels: s.kernels,
		Volumes: db,
		Ops:     s.operations,
		Events:  s.events,
		Drivers: []vmm.Driver{s.driver},
		Log:     log,

		BootTimeout: set.bootTimeout,
		Keeper:      s.consoles,
		Limits:      limits,
		Memory:      memory,
		Disks:       disks,
		ImageLeft:   s.images.ImageLeft,
	})
	s.health = doctor.New(doctor.Config{Paths: paths, Store: db, VMs: s.vms, Driver: s.driver, Running: s.operations.Running})
	return s, nil
}

// openImages makes the image service.
func (s *services) openImages(set settings, db *store.Store, log *slog.Logger) error {
	paths := set.paths
	cache, err := imagepull.OpenCache(paths.OCI())
	if err != nil {
		return err
	}
	s.images = image.New(image.Config{
		Dir:        paths.Images(),
		Steps:      filepath.Join(paths.Cache, "build-steps"),
		Store:      db,
		Operations: s.operations,
		Puller:     imagepull.New(pullConfig(set.config.Image, cache)),
		Cache:      cache,
		Registry:   &imagepush.Registry{Transport: imagepull.NewTransport()},
		Kernels:    s.kernels,
		Machines:   s.builds,
		Users:      imageUsers(db),
		Version:    version,
		Log:        log,
	})
	return nil
}

// consoleLook is how often the keeper looks while there is no daemon: an
// emulated serial port brings less than a megabyte in a second.
const consoleLook = 5 * time.Second

// consoleKeeper is who keeps consoles short when this process has ended.
func consoleKeeper(paths model.Paths) *keeper.Keeper {
	return keeper.New(keeper.Config{
		Alive: paths.AliveLock(), Lock: paths.KeeperLock(),
		Runs: []string{paths.VMRuns(), paths.BuildRuns(), paths.KernelTestRuns()},
		Consoles: []keeper.Console{
			{Dir: paths.VMs(), File: model.ConsoleFile},
			{Dir: paths.Images(), File: model.ConsoleFile}, // of builds
			{Dir: paths.KernelTests(), File: model.ConsoleFile},
			{Dir: paths.VMRuns(), File: qemu.LogFile},
		},
		Interval: consoleLook, Keep: console.DefaultKeep,
	}, "/proc/self/exe") // this program, even when its file was replaced
}

// quotaOf is a bound in bytes, 0 when none was set.
func quotaOf(size config.Size) int64 {
	if size >= config.NoQuota {
		return 0
	}
	return int64(size)
}

// openKernels makes the kernel service and what boots kernels for it.
func (s *services) openKernels(set settings, db *store.Store, agent string, memory *quota.Memory) (err error) {
	paths := set.paths
	s.tester = kernelboot.New(kernelboot.Config{
		Driver: s.driver, Memory: memory, AgentPath: agent, Dir: paths.KernelTests(), RunDir: paths.KernelTestRuns(), BootTimeout: set.bootTimeout,
	})
	s.kernels, err = kernelcat.New(kernelcat.Config{
		Paths:      paths,
		Store:      db,
		Operations: s.operations,
		Packages:   apt.New(apt.Config{Dir: paths.Apt(), Arch: runtime.GOARCH}),
		AgentPath:  agent,
		CatalogDir: paths.KernelCatalog(),
		Registry:   set.kernelRegistry,
		Artifacts:  artifact.NewClient(),
		Tester:     s.tester,
		Users:      kernelUsers(db),
	})
	return err
}

// parts are the services as the daemon wants them, and the order in which
// they recover: what a VM is made of before the VMs.
func (s *services) parts(set settings, log *slog.Logger) daemon.Parts {
	return daemon.Parts{
		Images:     s.images,
		Kernels:    s.kernels,
		VMs:        s.vms,
		Volumes:    s.volumes,
		Operations: s.operations,
		Events:     s.events,
		Health:     s.health,
		Version:    versionInfo(set.paths),
		Settings:   set.told,
		Accel:      s.accel.known,
		Recovery: []daemon.RecoveryStep{
			{What: "operations", Do: s.operations.Recover},
			{What: "kernel tests", Do: s.tester.Recover},
			{What: "kernels", Do: s.kernels.Recover},
			{What: "builds", Do: s.builds.Recover},
			{What: "images", Do: s.images.Recover},
			{What: "volumes", Do: s.volumes.Recover},
			{What: "VMs", Do: s.vms.Recover},
			{What: "the keeper of consoles", Do: s.consoles.Recover},
			{What: "volumes of VMs", Do: s.db.ReleaseIdleVolumes},
		},
		LetGo: s.vms.LetGo,
		Log:   log,
	}
}

// close lets go of all; VMs go on.
func (s *services) close() {
	s.vms.Close()
	s.trimmer.Close()
	_ = s.events.Close() // each event is written when it happens
}

// operationEnded is called after each operation.
func (s *services) operationEnded(op model.Operation) {
	s.trimmer.Ended(op)
	s.events.Operation(op)
}

// beside returns the path of a program in the directory of this one.
func beside(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", model.Errorf(model.CodeInternal, "finding this program's directory: %w", err)
	}
	return filepath.Join(filepath.Dir(self), name), nil
}

// imageUsers returns a function that names the VMs made of an image.
func imageUsers(db *store.Store) func(context.Context, string) ([]string, error) {
	return func(ctx context.Context, imageID string) ([]string, error) {
		vms, err := db.VMs(ctx)
		var names []string
		for _, v := range vms {
			if v.ImageID == imageID {
				names = append(names, v.Name)
			}
		}
		return names, err
	}
}
