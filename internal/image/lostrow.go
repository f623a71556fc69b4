package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"banger/internal/imagemgr"
	"banger/internal/model"
)

// maxMetadata bounds image.json, in bytes.
const maxMetadata = 16 << 20

// recoverRow gives the image in dir the row that it has had, as its image.json
// tells it, under another name when its own is taken. What is not whole is
// moved aside.
func (s *Service) recoverRow(ctx context.Context, dir imagemgr.Staging, id string) error {
	img, err := readMetadata(dir, id)
	if err != nil {
		return s.moveAside(dir, err)
	}
	if have, err := s.named(ctx, img.Name); err != nil {
		return err
	} else if have != nil {
		img.Name = fmt.Sprintf("%.54s-%.8s", img.Name, id)
	}
	if err := s.cfg.Store.InsertImage(ctx, img); err != nil {
		return model.Errorf(model.CodeOf(err), "recording image %q again: %w", img.Name, err)
	}
	s.cfg.Log.Warn("recorded an image again whose row was lost", "image", img.Name, "id", id)
	return nil
}

func (s *Service) moveAside(dir imagemgr.Staging, reason error) error {
	aside := dir.Final + model.LostExt
	if err := os.Rename(dir.Final, aside); err != nil {
		return fmt.Errorf("moving an image aside: %w", err)
	}
	s.cfg.Log.Warn("moved an image aside that is not whole", "dir", aside, "err", reason)
	return imagemgr.SyncDir(filepath.Dir(aside))
}

// readMetadata returns the image that lies in dir, if it is whole. Where the
// state directory was before does not matter.
func readMetadata(dir imagemgr.Staging, id string) (model.Image, error) {
	var img model.Image
	f, err := os.Open(dir.FinalPath(model.ImageFile))
	if err != nil {
		return img, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxMetadata)).Decode(&img); err != nil {
		return img, fmt.Errorf("decoding %s: %w", model.ImageFile, err)
	}
	if img.ID != id {
		return img, fmt.Errorf("%s is of image %.40q", model.ImageFile, img.ID)
	}
	if err := model.ValidateObjectName("image", img.Name); err != nil {
		return img, err
	}
	img.Dir, img.Rootfs, img.Managed = dir.Final, "", true
	img.Replaced = false // disks of VMs whose rows are lost too may lie above it
	img.Boot = bootIn(dir)
	info, err := os.Stat(img.RootfsPath())
	if err != nil {
		return img, err
	}
	if info.Size() != img.SizeBytes {
		return img, fmt.Errorf("%s has %d bytes in place of %d", model.RootfsFile, info.Size(), img.SizeBytes)
	}
	return img, nil
}

// bootIn returns the boot set that lies in an image's directory.
func bootIn(dir imagemgr.Staging) model.BootFiles {
	var boot model.BootFiles
	for name, path := range map[string]*string{
		model.VmlinuxFile: &boot.Kernel, model.InitrdFile: &boot.Initrd, model.ModulesDir: &boot.Modules,
	} {
		if file := dir.FinalPath(name); exists(file) {
			*path = file
		}
	}
	return boot
}
