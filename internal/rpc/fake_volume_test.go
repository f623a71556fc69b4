package rpc_test

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

func fakeVolume(name string) model.Volume {
	return model.Volume{ID: "0c", Name: name, State: model.VolumeReady, CreatedAt: fakeTime, Users: []model.VolumeUser{{VM: "web", Held: true}}}
}

func (f *fakeAPI) CreateVolume(ctx context.Context, p rpc.VolumeCreateParams) (model.Volume, error) {
	return fakeVolume(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) ListVolumes(ctx context.Context) ([]model.Volume, error) {
	return []model.Volume{fakeVolume("v")}, f.called(ctx, nil)
}
func (f *fakeAPI) ShowVolume(ctx context.Context, p rpc.NameParams) (model.Volume, error) {
	return fakeVolume(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) DeleteVolume(ctx context.Context, p rpc.NameParams) (model.Volume, error) {
	return fakeVolume(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) PruneVolumes(ctx context.Context, p rpc.VolumePruneParams) ([]model.Volume, error) {
	return []model.Volume{fakeVolume("v")}, f.called(ctx, p)
}
func (f *fakeAPI) ResizeVolume(ctx context.Context, p rpc.VolumeResizeParams) (model.Volume, error) {
	return fakeVolume(p.Name), f.called(ctx, p)
}
