package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"banger/internal/daemon"
	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/kernelcat"
	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/artifact"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/store"
	"banger/internal/vm"
	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
)

// services are the parts of the daemon that this program opens.
type services struct {
	operations *operation.Service
	kernels    *kernelcat.Service
	images     *image.Service
	vms        *vm.Service
	driver     vmm.Driver
	accel      *accelerator
	trimmer    *daemon.Trimmer
}

// openServices makes the services, each of what it needs of the others.
func openServices(set settings, db *store.Store, log *slog.Logger) (*services, error) {
	paths := set.paths
	s := &services{
		driver:  qemu.New(qemu.Config{Accel: set.accel, ProbeCache: paths.KVMVerdict()}),
		accel:   &accelerator{},
		trimmer: &daemon.Trimmer{},
	}
	s.operations = operation.New(operation.Config{Store: db, Log: log, Ended: s.trimmer.Ended})
	agent, err := beside("banger-agent")
	if err != nil {
		return nil, err
	}
	s.kernels, err = kernelcat.New(kernelcat.Config{
		Paths:      paths,
		Store:      db,
		Operations: s.operations,
		Packages:   apt.New(apt.Config{Dir: paths.Apt(), Arch: runtime.GOARCH}),
		AgentPath:  agent,
		CatalogDir: paths.KernelCatalog(),
		Registry:   set.kernelRegistry,
		Artifacts:  artifact.NewClient(),
		Users:      kernelUsers(db),
	})
	if err != nil {
		return nil, err
	}
	cache, err := imagepull.OpenCache(paths.OCI())
	if err != nil {
		return nil, err
	}
	s.images = image.New(image.Config{
		Dir:        paths.Images(),
		Store:      db,
		Operations: s.operations,
		Puller:     imagepull.New(imagepull.Config{Cache: cache}),
		Cache:      cache,
		Registry:   &imagepush.Registry{Transport: imagepull.NewTransport()},
		Kernels:    s.kernels,
		Users:      imageUsers(db),
		Version:    version,
		Log:        log,
	})
	s.vms = vm.New(vm.Config{
		Paths:   paths,
		Store:   db,
		Images:  s.images,
		Kernels: s.kernels,
		Ops:     s.operations,
		Drivers: []vmm.Driver{s.driver},
		Log:     log,

		BootTimeout: set.bootTimeout,
	})
	return s, nil
}

// parts are the services as the daemon wants them, and the order in which
// they recover: what a VM is made of before the VMs.
func (s *services) parts(paths model.Paths, log *slog.Logger) daemon.Parts {
	return daemon.Parts{
		Images:     s.images,
		Kernels:    s.kernels,
		VMs:        s.vms,
		Operations: s.operations,
		Version:    versionInfo(paths),
		Accel:      s.accel.known,
		Recovery: []daemon.RecoveryStep{
			{What: "operations", Do: s.operations.Recover},
			{What: "kernels", Do: s.kernels.Recover},
			{What: "images", Do: s.images.Recover},
			{What: "VMs", Do: s.vms.Recover},
		},
		LetGo: s.vms.LetGo,
		Log:   log,
	}
}

// close lets go of all; VMs go on.
func (s *services) close() {
	s.vms.Close()
	s.trimmer.Close()
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
