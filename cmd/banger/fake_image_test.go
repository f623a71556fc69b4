package main

import (
	"context"
	"fmt"
	"io"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (d *fakeDaemon) Settings(context.Context) (model.Settings, error) {
	return model.Settings{File: "/home/u/.config/banger/config.toml", Settings: []model.Setting{
		{Key: "image.layers", Value: "512", Default: "512", Origin: model.OriginDefault, Doc: "layers of one image"},
		{Key: "image.token_hosts", Origin: model.OriginDefault, Doc: "token servers"},
	}}, nil
}

// fakeTree is what every image holds, odd names among it.
func fakeTree() []model.TreeEntry {
	entry := func(path string, kind model.FileType, mode uint32, change func(*model.TreeEntry)) model.TreeEntry {
		e := model.TreeEntry{Path: path, FileInfo: model.FileInfo{Type: kind, Mode: mode, Links: 1, MTime: epoch}}
		if change != nil {
			change(&e)
		}
		return e
	}
	return []model.TreeEntry{
		entry("/", model.TypeDir, 0o1777, nil),
		entry("/bin/su", model.TypeFile, 0o4755, func(e *model.TreeEntry) { e.Size, e.GID = 67816, 42 }),
		entry("/dev/null", model.TypeChar, 0o666, func(e *model.TreeEntry) { e.Major, e.Minor = 1, 3 }),
		entry("/etc/\x1b[2J", model.TypeFile, 0o2640, func(e *model.TreeEntry) { e.UID = 4000000000 }),
		entry("/etc/\ufffd", model.TypeSymlink, 0o777, func(e *model.TreeEntry) {
			e.PathBytes, e.Target, e.TargetBytes = []byte("/etc/\xff"), "\ufffd", []byte("\xfe")
		}),
		entry("/run/fifo", model.TypeFIFO, 0, nil),
	}
}

// ImportImage makes an image whose source says how much input there was.
func (d *fakeDaemon) ImportImage(ctx context.Context, p rpc.ImagePullParams, in io.Reader, report model.Report) (model.Image, error) {
	n, err := io.Copy(io.Discard, in)
	if err != nil {
		return model.Image{}, err
	}
	p.Ref += fmt.Sprintf("@%d", n)
	return d.PullImage(ctx, p, report)
}

func (d *fakeDaemon) TreeImage(ctx context.Context, p rpc.ImageTreeParams, visit func(model.TreeEntry) error) error {
	if _, err := d.ShowImage(ctx, rpc.NameParams{Name: p.Name}); err != nil {
		return err
	}
	for _, e := range fakeTree() {
		if p.Path != "" && p.Path != e.Path {
			continue
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

// DiffImages finds that images of different names differ.
func (d *fakeDaemon) DiffImages(ctx context.Context, p rpc.ImageDiffParams, visit func(model.TreeChange) error) error {
	for _, name := range []string{p.From, p.To} {
		if _, err := d.ShowImage(ctx, rpc.NameParams{Name: name}); err != nil {
			return err
		}
	}
	if p.From == p.To {
		return nil
	}
	was, is := fakeTree()[1].FileInfo, fakeTree()[1].FileInfo
	is.Mode, is.UID, is.Size = 0o755, 7, 9
	for _, c := range []model.TreeChange{
		{Path: "/bin/su", Change: model.ChangeChanged, What: []string{"mode", "owner", "size", "content"}, From: &was, To: &is},
		{Path: "/new\nline", Change: model.ChangeAdded, To: &is},
		{Path: "/old", Change: model.ChangeRemoved, From: &was},
	} {
		if err := visit(c); err != nil {
			return err
		}
	}
	return nil
}
