package imagepull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/model"
)

// List returns all blobs and parts of blobs, the one used last first. Files
// that are neither are passed over.
func (c *Cache) List() ([]model.CachedBlob, error) {
	blobs := []model.CachedBlob{}
	for _, pattern := range []string{"blobs/sha256/*", "blobs/sha512/*", "ingest/*"} {
		paths, err := filepath.Glob(filepath.Join(c.dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("listing the blob cache: %w", err)
		}
		for _, path := range paths {
			b, err := c.describe(path)
			if err != nil {
				return nil, fmt.Errorf("listing the blob cache: %w", err)
			}
			if b != nil {
				blobs = append(blobs, *b)
			}
		}
	}
	slices.SortFunc(blobs, func(a, b model.CachedBlob) int {
		return cmp.Or(b.UsedAt.Compare(a.UsedAt), cmp.Compare(a.Digest, b.Digest))
	})
	return blobs, nil
}

// describe returns nil for what is no blob, or has gone.
func (c *Cache) describe(path string) (*model.CachedBlob, error) {
	partial := filepath.Base(filepath.Dir(path)) == "ingest"
	text := filepath.Base(filepath.Dir(path)) + ":" + filepath.Base(path)
	if partial {
		text = strings.Replace(filepath.Base(path), "-", ":", 1)
	}
	d, err := ParseDigest(text)
	if err != nil {
		return nil, nil //nolint:nilerr // not ours
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &model.CachedBlob{
		Digest: string(d), SizeBytes: info.Size(), UsedAt: info.ModTime().UTC(), Partial: partial,
		InUse: c.usage.has(d) || c.locks.isHeld(string(d)),
	}, nil
}

// Prune removes blobs that no pull uses, the longest unused first, until all
// together have at most keepBytes, and returns what it removed.
func (c *Cache) Prune(ctx context.Context, keepBytes int64) ([]model.CachedBlob, error) {
	blobs, err := c.List()
	if err != nil {
		return nil, err
	}
	var total int64
	for _, b := range blobs {
		total += b.SizeBytes
	}
	removed := []model.CachedBlob{}
	for _, b := range slices.Backward(blobs) {
		if total <= keepBytes || ctx.Err() != nil {
			break
		}
		gone, err := c.remove(b)
		if err != nil {
			return removed, fmt.Errorf("pruning the blob cache: %w", err)
		}
		if gone {
			total -= b.SizeBytes
			removed = append(removed, b)
		}
	}
	if err := ctx.Err(); err != nil {
		return removed, causeOf(ctx, err)
	}
	return removed, nil
}

// remove removes a blob unless somebody uses it.
func (c *Cache) remove(b model.CachedBlob) (gone bool, err error) {
	d := Digest(b.Digest)
	unlock, ok := c.locks.tryLock(b.Digest)
	if !ok {
		return false, nil
	}
	defer unlock()
	if c.usage.has(d) {
		return false, nil
	}
	path := c.blob(d)
	if b.Partial {
		path = c.partial(d)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, nil
}

// Verify reads every whole blob and removes those that are not what their
// digests say, which it returns: the next pull fetches them again.
func (c *Cache) Verify(ctx context.Context, report model.Report) ([]model.CachedBlob, error) {
	blobs, err := c.List()
	if err != nil {
		return nil, err
	}
	damaged := []model.CachedBlob{}
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return damaged, causeOf(ctx, err)
		}
		if b.Partial {
			continue
		}
		if c.evictDamaged(ctx, Digest(b.Digest)) {
			damaged = append(damaged, b)
		}
		item(report, Digest(b.Digest), b.SizeBytes, b.SizeBytes)
	}
	return damaged, nil
}
