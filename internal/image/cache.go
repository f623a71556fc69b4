package image

import (
	"context"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// ListImageCache returns the blobs of the cache.
func (s *Service) ListImageCache(context.Context) ([]model.CachedBlob, error) {
	return s.cfg.Cache.List()
}

// PruneImageCache removes blobs that no pull uses. Images stay as they are:
// their root filesystems are no part of the cache.
func (s *Service) PruneImageCache(ctx context.Context, p rpc.ImageCachePruneParams) ([]model.CachedBlob, error) {
	if p.KeepBytes < 0 {
		return nil, model.Errorf(model.CodeInvalid, "size %d is negative", p.KeepBytes)
	}
	return s.cfg.Cache.Prune(ctx, p.KeepBytes)
}

// VerifyImageCache reads all blobs and removes damaged ones.
func (s *Service) VerifyImageCache(ctx context.Context, report model.Report) ([]model.CachedBlob, error) {
	return operation.Do(ctx, s.cfg.Operations, "image.cacheVerify", "", report,
		func(ctx context.Context, op *operation.Op) ([]model.CachedBlob, error) {
			return s.cfg.Cache.Verify(ctx, op.Report)
		})
}
