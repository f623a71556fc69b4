package kernelcat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"banger/internal/kernelcat/kmod"
	"banger/internal/model"
	"banger/internal/rpc"
)

// KernelOptions returns the options that are set in a kernel's build
// configuration, by name; CodeNotFound when that is not known.
func (s *Service) KernelOptions(ctx context.Context, p rpc.NameParams) ([]model.KernelOption, error) {
	k, err := s.ShowKernel(ctx, p)
	if err != nil {
		return nil, err
	}
	set, err := readConfig(filepath.Join(k.Dir, ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of kernel %s: %w", k.Name, err)
	}
	if set == nil {
		return nil, model.Errorf(model.CodeNotFound, "the build configuration of kernel %s is not known", k.Name).
			WithHint("import the kernel with --config-path FILE")
	}
	found := make([]model.KernelOption, 0, len(set))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		found = append(found, model.KernelOption{Name: name, Value: set[name]})
	}
	return found, nil
}

// KernelModules returns the modules that a kernel can load, by file. One that
// has everything built in has none.
func (s *Service) KernelModules(ctx context.Context, p rpc.NameParams) ([]model.KernelModule, error) {
	k, err := s.ShowKernel(ctx, p)
	if err != nil {
		return nil, err
	}
	tree, err := kmod.OpenTree(filepath.Join(k.Dir, model.ModulesDir))
	if errors.Is(err, fs.ErrNotExist) {
		return []model.KernelModule{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the modules of kernel %s: %w", k.Name, err)
	}
	defer tree.Close()
	found := make([]model.KernelModule, 0, tree.Len())
	for _, file := range tree.Paths() {
		name, _ := kmod.ModuleName(file)
		found = append(found, model.KernelModule{Name: name, Path: file})
	}
	return found, nil
}
