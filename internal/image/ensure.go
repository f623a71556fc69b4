package image

import (
	"context"
	"errors"
	"strings"

	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

// DefaultImage is the reference of the image that is used when none is named.
func DefaultImage() string { return imagepull.DefaultRef() }

// EnsureImage returns the image that nameOrRef means and pulls it for the
// platform when it is not here; "" is the default image and the host's
// platform.
func (s *Service) EnsureImage(ctx context.Context, nameOrRef, platform string, report model.Report) (model.Image, error) {
	if nameOrRef == "" {
		nameOrRef = DefaultImage()
	}
	img, err := s.FindImage(ctx, nameOrRef)
	if model.CodeOf(err) != model.CodeNotFound {
		return img, err
	}
	if _, refErr := imagepull.ParseRef(nameOrRef); refErr != nil {
		return img, err
	}
	img, err = s.PullImage(ctx, rpc.ImagePullParams{Ref: nameOrRef, Platform: platform}, report)
	switch model.CodeOf(err) {
	case model.CodeConflict:
	case model.CodeNotFound, model.CodeUnreachable, model.CodeUnauthorized:
		return img, s.withLocalNames(ctx, nameOrRef, err)
	default:
		return img, err
	}
	// Another call may have pulled it between the look and the pull.
	if found, findErr := s.FindImage(ctx, nameOrRef); findErr == nil {
		return found, nil
	}
	return img, err
}

// withLocalNames adds to the error of a pull which image that is here may have
// been meant.
func (s *Service) withLocalNames(ctx context.Context, name string, err error) error {
	var e *model.Error
	near := s.nearest(ctx, name)
	if !errors.As(err, &e) || len(near) == 0 {
		return err
	}
	return e.WithHint("did you mean %s, which is here? If not: %s", strings.Join(near, " or "), e.Hint)
}
