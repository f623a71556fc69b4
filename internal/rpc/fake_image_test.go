package rpc_test

import (
	"context"
	"io"

	"banger/internal/model"
	"banger/internal/rpc"
)

func fakeSettings() model.Settings {
	return model.Settings{File: "/c/config.toml", Settings: []model.Setting{{Key: "image.layers", Value: "3", Default: "512", Origin: model.OriginFile}}}
}

// fakeFiles has names that are hard to carry.
func fakeFiles() []model.TreeEntry {
	return []model.TreeEntry{
		{Path: "/", FileInfo: model.FileInfo{Type: model.TypeDir, Mode: 0o755, MTime: fakeTime}},
		{Path: "/odd\n\u2028<&>", FileInfo: model.FileInfo{Type: model.TypeFile, Mode: 0o4755, Size: 1 << 50, MTime: fakeTime}},
		{Path: "/\ufffd", PathBytes: []byte("/\xff"), FileInfo: model.FileInfo{Type: model.TypeSymlink, Target: "x", MTime: fakeTime}},
	}
}

func fakeChanges() []model.TreeChange {
	return []model.TreeChange{
		{Path: "/a", Change: model.ChangeAdded, To: &model.FileInfo{Type: model.TypeFile, MTime: fakeTime}},
		{Path: "/b", Change: model.ChangeChanged, What: []string{"mode"}, From: &model.FileInfo{Mode: 1, MTime: fakeTime}, To: &model.FileInfo{Mode: 2, MTime: fakeTime}},
	}
}

// ImportImage reads all of its input, which is the name of the image.
func (f *fakeAPI) ImportImage(ctx context.Context, p rpc.ImagePullParams, in io.Reader, report model.Report) (model.Image, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return model.Image{}, err
	}
	return fakeImage(string(text)), f.long(ctx, p, report)
}

func (f *fakeAPI) TreeImage(ctx context.Context, p rpc.ImageTreeParams, visit func(model.TreeEntry) error) error {
	return each(fakeFiles(), visit, f.called(ctx, p))
}

func (f *fakeAPI) DiffImages(ctx context.Context, p rpc.ImageDiffParams, visit func(model.TreeChange) error) error {
	return each(fakeChanges(), visit, f.called(ctx, p))
}

// each visits all values and then returns err, or the first error of visit.
func each[V any](values []V, visit func(V) error, err error) error {
	for _, v := range values {
		if failed := visit(v); failed != nil {
			return failed
		}
	}
	return err
}

// collect gathers what a call visits.
func collect[V any](call func(visit func(V) error) error) (any, error) {
	var all []V
	err := call(func(v V) error {
		all = append(all, v)
		return nil
	})
	return all, err
}
