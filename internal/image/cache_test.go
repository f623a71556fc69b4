package image_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

func TestImageCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, err := imagepull.OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(cfg *image.Config) { cfg.Cache = cache })
	ctx, silent := context.Background(), func(model.Progress) {}
	for _, digit := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", strings.Repeat(digit, 64)), []byte("1234"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if blobs, err := r.ListImageCache(ctx); err != nil || len(blobs) != 2 {
		t.Errorf("list: %v, %v", blobs, err)
	}
	if _, err := r.PruneImageCache(ctx, rpc.ImageCachePruneParams{KeepBytes: -1}); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("a negative size: %v", err)
	}
	if removed, err := r.PruneImageCache(ctx, rpc.ImageCachePruneParams{KeepBytes: 4}); err != nil || len(removed) != 1 {
		t.Errorf("prune: %v, %v", removed, err)
	}
	if damaged, err := r.VerifyImageCache(ctx, silent); err != nil || len(damaged) != 1 {
		t.Errorf("verify: %v, %v", damaged, err)
	}
	if blobs, err := r.ListImageCache(ctx); err != nil || len(blobs) != 0 {
		t.Errorf("at the end: %v, %v", blobs, err)
	}
}
