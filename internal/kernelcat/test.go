package kernelcat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/kmod"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// Tester boots a kernel and tries what it can do; *kernelboot.Tester does.
type Tester interface {
	Test(ctx context.Context, machine model.MachineType, kernel, initramfs string, modules []string) (model.KernelTest, error)
}

// testPrefix begins the names of directories below the cache in which modules
// are unpacked for a test.
const testPrefix = "test-"

// testedModules are those that a test loads when the kernel has them, with
// what they need.
var testedModules = []string{"vsock", "vmw_vsock_virtio_transport", "overlay", "tun", "nf_tables", "9p", "9pnet_virtio", "virtiofs"}

// TestKernel boots a kernel and records with it what was found.
//
//	step      what                                          on disk after
//	find      on this host, with its files                  -
//	lock      it is not deleted meanwhile                   -
//	prepare   initial file system; modules, uncompressed    Cache/test-*
//	boot      with the agent; probes run in the guest       -
//	record    what was found, with the kernel               row
func (s *Service) TestKernel(ctx context.Context, p rpc.KernelTestParams, report model.Report) (model.Kernel, error) {
	if s.cfg.Tester == nil {
		return model.Kernel{}, model.Errorf(model.CodeUnsupported, "kernels cannot be tested here")
	}
	k, err := s.ShowKernel(ctx, rpc.NameParams(p))
	if err != nil {
		return model.Kernel{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "kernel.test", k.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Kernel, error) { return s.test(ctx, op, k.Name) })
}

func (s *Service) test(ctx context.Context, op *operation.Op, name string) (model.Kernel, error) {
	op.Stage("lock")
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.test/locked"); err != nil {
		return model.Kernel{}, err
	}
	k, err := s.local(ctx, name)
	if err != nil {
		return model.Kernel{}, err
	}
	op.Stage("prepare")
	initramfs, err := s.Initramfs(ctx, k)
	if err != nil {
		return model.Kernel{}, err
	}
	dir, err := s.cacheTemp(testPrefix)
	if err != nil {
		return model.Kernel{}, err
	}
	defer os.RemoveAll(dir) // Recover removes what this cannot
	modules, err := unpackModules(filepath.Join(k.Dir, model.ModulesDir), dir)
	if err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.test/prepared"); err != nil {
		return model.Kernel{}, err
	}
	op.Stage("boot")
	found, err := s.cfg.Tester.Test(ctx, k.Machine(1), filepath.Join(k.Dir, model.VmlinuxFile), initramfs, modules)
	if err != nil {
		return model.Kernel{}, model.Errorf(model.CodeOf(err), "testing kernel %s: %w", name, err)
	}
	op.Stage("record")
	k.Test = &found
	return s.marked(k), s.cfg.Store.UpdateKernel(ctx, k)
}

// cacheTemp makes a directory below the cache that Recover removes.
func (s *Service) cacheTemp(prefix string) (string, error) {
	if err := os.MkdirAll(s.cfg.Paths.Cache, 0o700); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	dir, err := os.MkdirTemp(s.cfg.Paths.Cache, prefix)
	if err != nil {
		return "", fmt.Errorf("making a directory below the cache: %w", err)
	}
	return dir, nil
}

// unpackModules writes the tested modules of a kernel to dir, uncompressed, and
// returns their paths in load order. A kernel may have none.
func unpackModules(from, dir string) ([]string, error) {
	tree, err := kmod.OpenTree(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	plan, err := tree.Plan(testedModules)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, m := range plan.Load {
		ko, err := tree.Read(m.Path)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, m.Name+".ko")
		if err := os.WriteFile(path, ko, 0o600); err != nil {
			return nil, writeError(m.Name, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}
