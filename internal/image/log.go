package image

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"banger/internal/model"
	"banger/internal/rpc"
)

// ImageLog writes what the build of an image has said to w.
func (s *Service) ImageLog(ctx context.Context, p rpc.NameParams, w io.Writer) error {
	img, err := s.ShowImage(ctx, p)
	if err != nil {
		return err
	}
	log, err := openBuildLog(img)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, log)
	return errors.Join(err, log.Close())
}

// buildLogPath is where the log of the build of an image is.
func buildLogPath(img model.Image) string { return filepath.Join(img.Dir, model.BuildLogFile) }

// openBuildLog opens it; an image that was not built here has none.
func openBuildLog(img model.Image) (*os.File, error) {
	if img.Source.Build == nil {
		return nil, model.Errorf(model.CodeNotFound, "image %q was not built here: it has no log", img.Name).
			WithHint("see what it was made of: banger image history %s", img.Name)
	}
	f, err := os.Open(buildLogPath(img))
	if errors.Is(err, os.ErrNotExist) {
		return nil, model.Errorf(model.CodeNotFound, "the log of the build of image %q is gone", img.Name)
	}
	return f, err
}
