package kernelcat

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
)

// defaultFile in the directory of kernels holds the name of the kernel that
// was chosen as the default. No kernel's name begins with a dot.
const defaultFile = ".default"

// DefaultKernel chooses the kernel that is booted when nothing else is said,
// and returns it; without a name it only returns the default one.
//
//	find    it is on this host, with its files
//	lock    it is not deleted meanwhile
//	write   kernels/.default, whole or not at all
func (s *Service) DefaultKernel(ctx context.Context, p rpc.KernelDefaultParams) (model.Kernel, error) {
	if p.Name == "" {
		return s.ShowKernel(ctx, rpc.NameParams{})
	}
	if err := model.ValidateObjectName("kernel", p.Name); err != nil {
		return model.Kernel{}, err
	}
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(p.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.default/locked"); err != nil {
		return model.Kernel{}, err
	}
	k, err := s.local(ctx, p.Name)
	if model.CodeOf(err) == model.CodeNotFound && !errors.Is(err, errFilesGone) {
		return model.Kernel{}, s.unknown(ctx, p.Name)
	}
	if err != nil {
		return model.Kernel{}, err
	}
	file := filepath.Join(s.cfg.Paths.Kernels(), defaultFile)
	if err := renameio.WriteFile(file, []byte(p.Name+"\n"), 0o600, renameio.WithTempDir(s.cfg.Paths.Kernels())); err != nil {
		return model.Kernel{}, fmt.Errorf("choosing kernel %s as the default: %w", p.Name, err)
	}
	if err := syncDir(s.cfg.Paths.Kernels(), unix.Fsync); err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.default/written"); err != nil {
		return model.Kernel{}, err
	}
	return s.marked(k), nil
}

// defaultName returns the name of the default kernel: the chosen one, else
// the catalog's; "" when there is none.
func (s *Service) defaultName() (string, error) {
	if name, err := s.chosenDefault(); err != nil || name != "" {
		return name, err
	}
	catalog, err := s.loadCatalog()
	return catalog.defaultName(), err
}

// chosenDefault returns the name that the user chose, or "".
func (s *Service) chosenDefault() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.cfg.Paths.Kernels(), defaultFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the choice of the default kernel: %w", err)
	}
	name := strings.TrimSpace(string(text))
	return name, model.ValidateObjectName("kernel", name)
}
