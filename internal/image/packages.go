package image

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/renameio/v2"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/imagetree"
	"banger/internal/model"
	"banger/internal/pkgdb"
	"banger/internal/rpc"
)

// ImagePackages returns the packages that are installed in an image, as its
// root filesystem tells.
func (s *Service) ImagePackages(ctx context.Context, p rpc.NameParams) ([]model.Package, error) {
	img, err := s.ShowImage(ctx, p)
	if err != nil {
		return nil, err
	}
	return BuildMetadataPackages(ctx, img.RootfsPath())
}

// BuildMetadataPackages returns the packages that are installed in a root
// filesystem, by name; see pkgdb.List.
func BuildMetadataPackages(ctx context.Context, rootfs string) ([]model.Package, error) {
	tree, err := imagetree.Open(rootfs)
	if err != nil {
		return nil, err
	}
	packages, err := pkgdb.List(ctx, tree.FS())
	return packages, errors.Join(err, tree.Close())
}

// WritePackagesMetadata writes packages to a file, whole or not at all.
func WritePackagesMetadata(path string, packages []model.Package) error {
	if packages == nil {
		packages = []model.Package{}
	}
	text, err := json.MarshalIndent(packages, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(text, '\n'), 0o600)
}

// recordPackages keeps what is installed beside the image.
func (b *build) recordPackages(ctx context.Context, staging imagemgr.Staging) error {
	packages, err := BuildMetadataPackages(ctx, staging.Path(model.RootfsFile))
	if model.CodeOf(err) == model.CodeUnsupported { // the image is no worse for it
		b.op.Report(model.Progress{Note: err.Error()})
		err = nil
	}
	if err != nil {
		return err
	}
	b.img.Source.Build.Installed = len(packages)
	if err := WritePackagesMetadata(staging.Path(model.PackagesFile), packages); err != nil {
		return err
	}
	return failpoint.Hit(ctx, "image.build/packages")
}
