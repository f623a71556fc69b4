package main

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// fakeVolume is the only volume that a fakeDaemon has; web runs with it.
func fakeVolume() model.Volume {
	return model.Volume{
		ID: "0123456789abcdef", Name: "data", State: model.VolumeReady, SizeBytes: 10 * gib, UsedBytes: 3 * mib, CreatedAt: epoch,
		Users: []model.VolumeUser{{VM: "web", Held: true}, {VM: "log", ReadOnly: true}},
	}
}

func (d *fakeDaemon) CreateVolume(_ context.Context, p rpc.VolumeCreateParams) (model.Volume, error) {
	v := fakeVolume()
	if p.Name == v.Name {
		return v, model.Errorf(model.CodeConflict, "volume name %q is taken", p.Name)
	}
	v.Name, v.SizeBytes = p.Name, p.SizeBytes
	return v, nil
}

func (d *fakeDaemon) ListVolumes(context.Context) ([]model.Volume, error) {
	return []model.Volume{fakeVolume()}, nil
}

func (d *fakeDaemon) ShowVolume(_ context.Context, p rpc.NameParams) (model.Volume, error) {
	v := fakeVolume()
	if p.Name != v.Name {
		return v, notFound("volume", p.Name)
	}
	return v, nil
}

func (d *fakeDaemon) DeleteVolume(ctx context.Context, p rpc.NameParams) (model.Volume, error) {
	return d.ShowVolume(ctx, p)
}

func (d *fakeDaemon) PruneVolumes(context.Context, rpc.VolumePruneParams) ([]model.Volume, error) {
	return nil, nil
}

func (d *fakeDaemon) ResizeVolume(ctx context.Context, p rpc.VolumeResizeParams) (model.Volume, error) {
	return d.ShowVolume(ctx, rpc.NameParams{Name: p.Name})
}
