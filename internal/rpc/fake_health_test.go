package rpc_test

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

func fakeChecks() []model.Check {
	return []model.Check{{Name: "kvm", Level: model.CheckWarn, Message: "it is slow", Hint: "buy another"}}
}

func (f *fakeAPI) Doctor(ctx context.Context, p rpc.CheckParams) ([]model.Check, error) {
	return fakeChecks(), f.called(ctx, p)
}

func (f *fakeAPI) CheckState(ctx context.Context, p rpc.CheckParams) ([]model.Check, error) {
	return fakeChecks(), f.called(ctx, p)
}

func (f *fakeAPI) DiskUsage(ctx context.Context) ([]model.Usage, error) {
	return []model.Usage{{Kind: "images", Count: 2, Bytes: 5}}, f.called(ctx, nil)
}
