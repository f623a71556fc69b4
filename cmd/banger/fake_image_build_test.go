package main

import (
	"context"
	"io"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

// BuildImage makes an image whose record is what was asked for; a script that
// says "fail" fails.
func (d *fakeDaemon) BuildImage(_ context.Context, p rpc.ImageBuildParams, report model.Report) (model.Image, error) {
	report(model.Progress{Note: "==> script " + p.ScriptName})
	if strings.Contains(p.Script, "fail") {
		return model.Image{}, model.Errorf(model.CodeFailed, "script %s failed at line 7 (fail) with status 1", p.ScriptName)
	}
	record := &model.BuildRecord{Base: p.Base, Script: p.ScriptName, Packages: p.Packages, Tools: p.Tools, Network: p.Network, Log: model.BuildLogFile}
	for _, h := range p.Hooks {
		record.Hooks = append(record.Hooks, h.When+"="+h.Name)
	}
	return d.addImage(model.Image{
		ID: "00000000000000f4", Name: p.Name, Managed: true, CreatedAt: epoch, SizeBytes: p.SizeBytes,
		Dir: "/s/images/f4", Source: model.ImageSource{Kind: "build", Build: record},
	})
}

// BuildDockerfile makes an image whose record is what was asked for.
func (d *fakeDaemon) BuildDockerfile(_ context.Context, p rpc.DockerfileBuildParams, report model.Report) (model.Image, error) {
	report(model.Progress{Note: "==> FROM " + p.Target})
	return d.addImage(model.Image{
		ID: "00000000000000f5", Name: p.Name, Managed: true, CreatedAt: epoch, Dir: "/s/images/f5",
		Source: model.ImageSource{Kind: "build", Build: &model.BuildRecord{Builder: p.Builder, Dockerfile: p.Dockerfile, Script: p.Text, Network: p.Network}},
	})
}

func (d *fakeDaemon) ImageLog(ctx context.Context, p rpc.NameParams, w io.Writer) error {
	if _, err := d.ShowImage(ctx, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, "==> packages\nok\n")
	return err
}

func (d *fakeDaemon) ImagePackages(ctx context.Context, p rpc.NameParams) ([]model.Package, error) {
	if _, err := d.ShowImage(ctx, p); err != nil {
		return nil, err
	}
	return []model.Package{{Name: "curl", Version: "8.5.0-1", Arch: "amd64", Manager: "dpkg"}, {Name: "musl", Version: "1.2", Manager: "apk"}}, nil
}
