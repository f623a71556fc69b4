package image

import (
	"context"
	"os"
	"slices"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// smallestTwin is the least size of a root filesystem that may stand in for
// one of the default size.
const smallestTwin = 1 << 30

// twin returns an image whose rootfs.ext4 is what a build would make again,
// or nil.
func (s *Service) twin(ctx context.Context, plan pullPlan, resolved *imagepull.Image) (*model.Image, error) {
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		return nil, err
	}
	for i := range images {
		have := &images[i]
		if s.sameContent(have, resolved) && fits(have.SizeBytes, plan.sizeBytes) && exists(have.RootfsPath()) {
			return have, nil
		}
	}
	return nil, nil
}

// sameContent tells whether an image was made from the same digest by the
// same version of banger. What mmdebstrap makes has no digest beforehand.
func (s *Service) sameContent(have *model.Image, resolved *imagepull.Image) bool {
	if !have.Managed || have.Source.BuilderVersion != s.cfg.Version || have.Source.Kind != resolved.Source.Kind {
		return false
	}
	if resolved.Source.ManifestDigest != "" {
		return have.Source.ManifestDigest == resolved.Source.ManifestDigest
	}
	return len(resolved.Source.Layers) > 0 && slices.Equal(have.Source.Layers, resolved.Source.Layers)
}

// fits tells whether a filesystem of size have serves who asks for want; 0 is
// the default size.
func fits(have, want int64) bool {
	if want == 0 {
		return have >= smallestTwin
	}
	return have == want
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
