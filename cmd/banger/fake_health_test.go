package main

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (d *fakeDaemon) Doctor(_ context.Context, p rpc.CheckParams) ([]model.Check, error) {
	kvm := model.Check{Name: "kvm", Level: model.CheckFail, Message: "others may write", Hint: "banger doctor --fix"}
	if p.Fix {
		kvm = model.Check{Name: "kvm", Level: model.CheckOK, Message: "mended"}
	}
	return []model.Check{{Name: "driver", Level: model.CheckOK, Message: "qemu 7.2"}, kvm}, nil
}

func (d *fakeDaemon) CheckState(_ context.Context, p rpc.CheckParams) ([]model.Check, error) {
	if p.Fix {
		return []model.Check{{Name: "state", Level: model.CheckOK, Message: "all agree"}}, nil
	}
	return []model.Check{{Name: "VM web", Level: model.CheckWarn, Message: "it does not answer", Hint: "banger kill web"}}, nil
}

func (d *fakeDaemon) DiskUsage(context.Context) ([]model.Usage, error) {
	return []model.Usage{{Kind: "images", Count: 2, Bytes: 5 * mib, ReclaimableBytes: mib}}, nil
}
