package vm

import (
	"context"

	"banger/internal/model"
	"banger/internal/vmm"
)

// picked is a driver and what it can do here.
type picked struct {
	vmm.Driver
	features vmm.Features
}

// pickDriver returns the driver of that name, or the first that works here.
func (s *Service) pickDriver(ctx context.Context, name string) (picked, error) {
	var firstErr error
	for _, d := range s.cfg.Drivers {
		f, err := d.Features(ctx)
		if name != "" && f.Driver != name {
			continue
		}
		if err == nil {
			return picked{d, f}, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	if firstErr != nil {
		return picked{}, firstErr
	}
	return picked{}, model.Errorf(model.CodeUnsupported, "this build has no driver %q", name).
		WithHint("leave --driver out to get the best one for this host")
}
