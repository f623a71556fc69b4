package kernelcat

import (
	"context"
	"fmt"
	"os"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
)

// DeleteKernel removes a kernel that nothing needs and returns what it was.
//
//	lock     no pull or import of that name meanwhile
//	users    images and VMs that need it: refused, naming them
//	row      from here on it does not exist; Recover finishes the rest
//	files    renamed to .staging, removed
func (s *Service) DeleteKernel(ctx context.Context, p rpc.NameParams) (model.Kernel, error) {
	if err := model.ValidateObjectName("kernel", p.Name); err != nil {
		return model.Kernel{}, err
	}
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(p.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.delete/locked"); err != nil {
		return model.Kernel{}, err
	}
	k, err := s.ShowKernel(ctx, p)
	if err != nil {
		return model.Kernel{}, err
	}
	if err := s.refuseUsed(ctx, k); err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.delete/unused"); err != nil {
		return model.Kernel{}, err
	}
	if err := s.cfg.Store.DeleteKernel(ctx, k.Name); err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.delete/forgotten"); err != nil {
		return k, err
	}
	return k, s.removeFiles(k.Name)
}

// refuseUsed refuses a kernel that images or VMs need, and the one that was
// chosen as the default.
func (s *Service) refuseUsed(ctx context.Context, k model.Kernel) error {
	users, err := s.users(ctx, k)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return model.Errorf(model.CodeConflict, "kernel %s is needed by %s", k.Name, strings.Join(users, ", ")).
			WithHint("delete them first (banger rm VM, banger image delete IMAGE), or give a VM another kernel: banger vm set VM --kernel NAME")
	}
	chosen, err := s.chosenDefault()
	if err != nil || chosen != k.Name {
		return err
	}
	return model.Errorf(model.CodeConflict, "kernel %s was chosen as the default", k.Name).
		WithHint("choose another first: banger kernel default NAME")
}

// users names what needs k.
func (s *Service) users(ctx context.Context, k model.Kernel) ([]string, error) {
	if s.cfg.Users == nil {
		return nil, nil
	}
	return s.cfg.Users(ctx, k.Name, k.Default)
}

// removeFiles takes the directory of a kernel out of the way in one step,
// then removes it.
func (s *Service) removeFiles(name string) error {
	dir := s.dir(name)
	if err := os.RemoveAll(dir + model.StagingExt); err != nil {
		return fmt.Errorf("removing kernel %s: %w", name, err)
	}
	if err := os.Rename(dir, dir+model.StagingExt); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing kernel %s: %w", name, err)
	}
	if err := os.RemoveAll(dir + model.StagingExt); err != nil {
		return fmt.Errorf("removing kernel %s: %w", name, err)
	}
	return nil
}
