package image

import (
	"context"

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
	if model.CodeOf(err) != model.CodeConflict {
		return img, err
	}
	// Another call may have pulled it between the look and the pull.
	if found, findErr := s.FindImage(ctx, nameOrRef); findErr == nil {
		return found, nil
	}
	return img, err
}
