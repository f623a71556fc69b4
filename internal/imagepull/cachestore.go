package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/imagemgr"
	"banger/internal/model"
)

// Check reads a blob that is in the cache. An error says that it is not what
// its digest says, or that the digest is none.
func (c *Cache) Check(ctx context.Context, digest string) (present bool, err error) {
	f, _, err := c.OpenBlob(digest)
	if err != nil {
		if model.CodeOf(err) == model.CodeNotFound {
			return false, nil
		}
		return false, err
	}
	defer f.Close()
	d := Digest(digest)
	h := d.newHash()
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil {
		return true, fmt.Errorf("reading blob %s: %w", d.Short(), err)
	}
	if !d.matches(h) {
		return true, model.Errorf(model.CodeIntegrity, "blob %s is not what its digest says", d.Short()).
			WithHint("banger image cache verify")
	}
	return true, nil
}

// OpenBlob opens a blob that is in the cache and returns its size; one that is
// not is model.CodeNotFound. Until it is closed, Prune leaves it alone. Its
// content is not verified.
func (c *Cache) OpenBlob(digest string) (io.ReadCloser, int64, error) {
	d, err := ParseDigest(digest)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(c.blob(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, model.Errorf(model.CodeNotFound, "blob %s is not in the cache", d.Short())
	}
	if err != nil {
		return nil, 0, fmt.Errorf("opening a blob: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return c.hold(d, f), info.Size(), nil
}

// ReadBlob returns a small blob that is in the cache and intact, else nil.
func (c *Cache) ReadBlob(digest string, most int64) []byte {
	d, err := ParseDigest(digest)
	if err != nil {
		return nil
	}
	return c.read(d, most)
}

// PutBlob keeps a small blob and returns its digest.
func (c *Cache) PutBlob(b []byte) (string, error) {
	d := digestOf(b)
	return string(d), storageError(c.put(d, b))
}

// madePrefix begins the names of blobs that are being written.
const madePrefix = "made-"

// sweepMade removes what a daemon that was killed was writing.
func (c *Cache) sweepMade() error {
	left, err := filepath.Glob(filepath.Join(c.dir, "ingest", madePrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// WriteBlob keeps what write writes and returns its digest and its size.
func (c *Cache) WriteBlob(write func(io.Writer) error) (digest string, size int64, err error) {
	f, err := os.CreateTemp(filepath.Join(c.dir, "ingest"), madePrefix)
	if err != nil {
		return "", 0, storageError(err)
	}
	defer os.Remove(f.Name()) // gone already when all went well
	h := Digest("sha256:").newHash()
	counted := &countingWriter{w: io.MultiWriter(f, h)}
	if err := errors.Join(write(counted), f.Sync(), f.Close()); err != nil {
		return "", 0, storageError(err)
	}
	d := Digest(fmt.Sprintf("sha256:%x", h.Sum(nil)))
	if err := os.Rename(f.Name(), c.blob(d)); err != nil {
		return "", 0, storageError(err)
	}
	return string(d), counted.n, imagemgr.SyncDir(filepath.Dir(c.blob(d)))
}
