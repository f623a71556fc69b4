package rpc_test

import (
	"context"
	"io"

	"banger/internal/model"
	"banger/internal/rpc"
)

var (
	fakeVerdict = model.ImageVerdict{Name: "web", Checked: []string{"digest"}, Problems: []string{"\x1b"}}
	fakePushed  = model.PushedImage{Name: "web", Ref: "r@d", Layers: []model.PushedLayer{{Digest: "d", SizeBytes: 1 << 40, Original: true}}}
)

func (f *fakeAPI) RegisterImage(ctx context.Context, p rpc.ImageRegisterParams, report model.Report) (model.Image, error) {
	return fakeImage(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) PromoteImage(ctx context.Context, p rpc.NameParams, report model.Report) (model.Image, error) {
	return fakeImage(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) TagImage(ctx context.Context, p rpc.ImageTagParams, report model.Report) (model.Image, error) {
	return fakeImage(p.New), f.long(ctx, p, report)
}
func (f *fakeAPI) PruneImages(ctx context.Context, p rpc.ImagePruneParams) ([]model.Image, error) {
	return []model.Image{fakeImage("a")}, f.called(ctx, p)
}
func (f *fakeAPI) VerifyImages(ctx context.Context, p rpc.ImageVerifyParams, report model.Report) ([]model.ImageVerdict, error) {
	return []model.ImageVerdict{fakeVerdict}, f.long(ctx, p, report)
}
func (f *fakeAPI) ExportImage(ctx context.Context, p rpc.ImageExportParams, w io.Writer) error {
	if err := f.called(ctx, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, "tar \x00\xff\n")
	return err
}
func (f *fakeAPI) PushImage(ctx context.Context, p rpc.ImagePushParams, report model.Report) (model.PushedImage, error) {
	return fakePushed, f.long(ctx, p, report)
}
func (f *fakeAPI) CommitVM(ctx context.Context, p rpc.VMCommitParams, report model.Report) (model.Image, error) {
	return fakeImage(p.Image), f.long(ctx, p, report)
}
