package kernelcat

import (
	"context"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

// ShowKernel returns the kernel of that name, the default one for "".
func (s *Service) ShowKernel(ctx context.Context, p rpc.NameParams) (model.Kernel, error) {
	name, err := s.nameOrDefault(p.Name)
	if err != nil {
		return model.Kernel{}, err
	}
	k, err := s.cfg.Store.Kernel(ctx, name)
	if model.CodeOf(err) == model.CodeNotFound {
		return model.Kernel{}, s.unknown(ctx, name)
	}
	return s.marked(k), err
}

// nameOrDefault validates name; "" stands for the default.
func (s *Service) nameOrDefault(name string) (string, error) {
	if name != "" {
		return name, model.ValidateObjectName("kernel", name)
	}
	name, err := s.defaultName()
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", model.Errorf(model.CodeUnsupported, "the catalog has no default kernel for %s", s.cfg.Arch).
			WithHint("import one: banger kernel import --kernel-path FILE NAME, then: banger kernel default NAME")
	}
	return name, nil
}

// unknown says that there is no kernel called name on this host, and what
// could have been meant.
func (s *Service) unknown(ctx context.Context, name string) error {
	catalog, err := s.loadCatalog()
	if err != nil {
		return err
	}
	if _, ok := catalog.find(name); ok {
		return model.Errorf(model.CodeNotFound, "kernel %s is not on this host", name).
			WithHint("banger kernel pull %s", name)
	}
	known := make([]string, 0, len(catalog.Kernels))
	for _, e := range catalog.Kernels {
		known = append(known, e.Name)
	}
	if kernels, err := s.cfg.Store.Kernels(ctx); err == nil { // else only the advice is poorer
		for _, k := range kernels {
			if _, ok := catalog.find(k.Name); !ok {
				known = append(known, k.Name)
			}
		}
	}
	e := model.Errorf(model.CodeNotFound, "there is no kernel %s, neither here nor in the catalog", name)
	if near := model.Nearest(name, known); len(near) > 0 {
		e = model.Errorf(model.CodeNotFound, "%s; near to it: %s", e.Msg, strings.Join(near, ", "))
	}
	return e.WithHint("banger kernel list --available")
}
