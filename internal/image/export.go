package image

import (
	"bufio"
	"context"
	"errors"
	"io"

	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/internal/rpc"
)

// exportBuffer is how much of an archive is sent at once, in bytes.
const exportBuffer = 256 << 10

// ExportImage writes an image as an archive: its files (tar), an OCI image
// layout with one tag (oci), or what docker load reads (docker). The same
// image makes the same archive.
func (s *Service) ExportImage(ctx context.Context, p rpc.ImageExportParams, w io.Writer) error {
	out := bufio.NewWriterSize(w, exportBuffer)
	var err error
	switch p.Format {
	case "tar":
		err = s.exportTree(ctx, p.Name, out)
	case "oci", "docker":
		err = s.exportImage(ctx, p, out)
	default:
		return model.Errorf(model.CodeInvalid, "format %.40q is none of tar, oci, docker", p.Format)
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		return model.Errorf(model.CodeOf(err), "exporting image %q: %w", p.Name, err)
	}
	return nil
}

func (s *Service) exportTree(ctx context.Context, name string, w io.Writer) error {
	tree, err := s.openTree(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(imagepush.WriteTree(ctx, w, tree, model.Discard), tree.Close())
}

func (s *Service) exportImage(ctx context.Context, p rpc.ImageExportParams, w io.Writer) error {
	row, img, err := s.ociImage(ctx, p.Name, model.Discard)
	if err != nil {
		return err
	}
	defer img.Close()
	if p.Format == "docker" {
		return imagepush.WriteDockerArchive(ctx, w, img, row.Name)
	}
	return imagepush.WriteOCIArchive(ctx, w, img, row.Name)
}
