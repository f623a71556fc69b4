package kernelboot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"banger/internal/ext4"
)

// Names on the disk; package probe in the guest knows them.
const (
	probePath  = "/probe"
	modulesDir = "modules"
)

// File modes (inode(7)).
const (
	modeDir  = 0o040755
	modeFile = 0o100755
)

// diskBytes is the disk's size: the probe has some 4 MB, modules a few.
const diskBytes = 64 << 20

// writeDisk makes an ext4 file system with the probe and the modules, named so
// that their order is that of the names.
func (t *Tester) writeDisk(ctx context.Context, path string, modules []string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w, err := ext4.Create(f, ext4.Options{Label: vmID})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	root, err := t.tree(w, modules)
	if err == nil {
		_, err = w.Finish(ctx, root, ext4.FinishOptions{SizeBytes: diskBytes})
	}
	return errors.Join(err, f.Close())
}

func (t *Tester) tree(w *ext4.Writer, modules []string) (root *ext4.Node, err error) {
	stream := w.NewStream()
	defer func() { err = errors.Join(err, stream.Close()) }()
	loaded := map[string]*ext4.Node{}
	for i, path := range modules {
		if loaded[fmt.Sprintf("%03d-%s", i, filepath.Base(path))], err = fileNode(stream, path); err != nil {
			return nil, err
		}
	}
	probe, err := fileNode(stream, t.cfg.AgentPath)
	if err != nil {
		return nil, err
	}
	return &ext4.Node{Mode: modeDir, Children: map[string]*ext4.Node{
		filepath.Base(probePath): probe,
		modulesDir:               {Mode: modeDir, Children: loaded},
	}}, nil
}

func fileNode(stream *ext4.Stream, path string) (*ext4.Node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	body, err := stream.WriteBody(f, info.Size())
	return &ext4.Node{Mode: modeFile, Body: body}, err
}
