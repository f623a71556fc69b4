package kernelcat

import (
	"context"

	"banger/internal/model"
)

// ListKernels returns the kernels on this host, by name.
func (s *Service) ListKernels(ctx context.Context) ([]model.Kernel, error) {
	kernels, err := s.cfg.Store.Kernels(ctx)
	if err != nil {
		return nil, err
	}
	for i := range kernels {
		kernels[i] = s.marked(kernels[i])
	}
	return kernels, nil
}

// marked says whether k is the default, which the store does not know.
func (s *Service) marked(k model.Kernel) model.Kernel {
	name, err := s.defaultName() // without it no kernel is shown as the default
	k.Default = err == nil && k.Name == name
	return k
}

// ListCatalog returns the kernels that can be pulled for this architecture,
// in the catalog's order.
func (s *Service) ListCatalog(ctx context.Context) ([]model.CatalogKernel, error) {
	catalog, err := s.loadCatalog()
	if err != nil {
		return nil, err
	}
	kernels, err := s.cfg.Store.Kernels(ctx)
	if err != nil {
		return nil, err
	}
	def, err := s.defaultName()
	if err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for _, k := range kernels {
		here[k.Name] = true
	}
	list := make([]model.CatalogKernel, 0, len(catalog.Kernels))
	for _, e := range catalog.Kernels {
		k := e.model(here[e.Name])
		k.Default = k.Name == def
		list = append(list, k)
	}
	return list, nil
}

func (e Entry) model(pulled bool) model.CatalogKernel {
	sources := make([]string, 0, len(e.Sources))
	for _, s := range e.Sources {
		sources = append(sources, s.String())
	}
	return model.CatalogKernel{
		Name: e.Name, Description: e.Description, Distro: e.Distro, Arch: e.Arch, Flavour: e.Flavour,
		Version: e.Version, Digest: e.Digest, Sources: sources, Has: e.Has, Pulled: pulled,
	}
}
