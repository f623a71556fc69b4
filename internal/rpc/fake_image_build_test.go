package rpc_test

import (
	"context"
	"io"

	"banger/internal/model"
	"banger/internal/rpc"
)

var fakePackage = model.Package{Name: "curl", Version: "8.5.0-1", Arch: "amd64", Manager: "dpkg"}

func (f *fakeAPI) BuildImage(ctx context.Context, p rpc.ImageBuildParams, report model.Report) (model.Image, error) {
	return fakeImage(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) ImageLog(ctx context.Context, p rpc.NameParams, w io.Writer) error {
	if err := f.called(ctx, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, "+ make\n\x00\xff\n")
	return err
}
func (f *fakeAPI) ImagePackages(ctx context.Context, p rpc.NameParams) ([]model.Package, error) {
	return []model.Package{fakePackage}, f.called(ctx, p)
}
