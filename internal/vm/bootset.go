package vm

import (
	"context"
	"fmt"
	"path/filepath"

	"banger/internal/model"
	"banger/internal/rpc"
)

// bootSet is what a guest boots.
type bootSet struct {
	name   string // of the kernel, for show
	kernel string
	initrd string
	image  model.Image

	machine model.MachineType // that the kernel can boot on; "": not known
	modules string            // disk with the kernel's modules; "": none
}

// bootSetFor finds what a VM boots: the kernel that the user chose, else its
// image's own boot files, else the image's kernel, else the default one.
func (s *Service) bootSetFor(ctx context.Context, vm model.VM, report model.Report) (bootSet, error) {
	img, err := s.cfg.Images.ShowImage(ctx, rpc.NameParams{Name: vm.ImageID})
	if err != nil {
		return bootSet{}, fmt.Errorf("finding the image of VM %s: %w", vm.Name, err)
	}
	if vm.Spec.Kernel == "" && img.Boot.Kernel != "" {
		initrd, err := s.cfg.Kernels.InitramfsFor(ctx, img.Boot)
		return bootSet{name: "image " + img.Name, kernel: img.Boot.Kernel, initrd: initrd, image: img}, err
	}
	name := vm.Spec.Kernel
	if name == "" {
		name = img.Kernel
	}
	k, err := s.cfg.Kernels.EnsureKernel(ctx, name, report)
	if err != nil {
		return bootSet{}, err
	}
	boot := bootSet{name: k.Name, kernel: filepath.Join(k.Dir, model.VmlinuxFile), image: img, machine: k.Machine(vm.Spec.CPUs)}
	if boot.initrd, err = s.cfg.Kernels.Initramfs(ctx, k); err != nil {
		return bootSet{}, err
	}
	boot.modules, err = s.cfg.Kernels.ModulesDisk(ctx, k)
	return boot, err
}
