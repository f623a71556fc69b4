package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// softMemory is that of the daemon.
const softMemory = 192 << 20

// pull is what the child process does: it makes the ext4 of ref in file.
func pull(ctx context.Context, ref, cacheDir, file string) error {
	debug.SetMemoryLimit(softMemory)
	cache, err := imagepull.OpenCache(cacheDir)
	if err != nil {
		return err
	}
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		return err
	}
	puller := imagepull.New(imagepull.Config{Cache: cache})
	silent := func(model.Progress) {}
	img, err := puller.Resolve(ctx, parsed, "", silent)
	if err != nil {
		return err
	}
	built, err := puller.BuildExt4(ctx, img, file, imagepull.BuildOptions{Stage: func(string) {}}, silent)
	if err == nil && built.UsedBytes == 0 {
		err = errors.New("the image is empty")
	}
	if err != nil {
		return fmt.Errorf("pulling %s: %w", ref, err)
	}
	return nil
}
