package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"banger/internal/model"
)

// Cache keeps verified blobs in an OCI image layout (image-spec,
// image-layout.md), so that other tools can read it and anyone may delete it.
// A blob has its name only when it is whole and durable; one that is being
// fetched grows in ingest/ and is continued by the next fetch after a crash.
type Cache struct {
	dir     string
	locks   keyLock
	usage   usage
	scratch scratch
}

// OpenCache opens the cache in dir, which is made when absent.
func OpenCache(dir string) (*Cache, error) {
	for _, d := range []string{"blobs/sha256", "blobs/sha512", "ingest", scratchDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("opening the blob cache: %w", err)
		}
	}
	files := map[string]string{
		"oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
		"index.json": `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`,
	}
	for name, content := range files {
		if err := writeMissing(filepath.Join(dir, name), content); err != nil {
			return nil, fmt.Errorf("opening the blob cache: %w", err)
		}
	}
	c := &Cache{dir: dir, scratch: scratch{links: filepath.Join(dir, scratchDir), inUse: map[string]bool{}}}
	return c, c.sweepMade()
}

func writeMissing(path, content string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return renameio.WriteFile(path, []byte(content), 0o600)
}

// fillFunc appends to an ingest until it holds the whole blob.
type fillFunc func(ctx context.Context, in *ingest) error

// get opens the blob d of size bytes. When it is not here, fill fetches it;
// callers for the same blob wait, and if the one that fetches gives up, the
// next goes on where it stopped. Until it is closed, Prune leaves it alone.
func (c *Cache) get(ctx context.Context, d Digest, size int64, fill fillFunc) (io.ReadCloser, error) {
	unlock, err := c.locks.lock(ctx, string(d))
	if err != nil {
		return nil, err
	}
	defer unlock()
	f, err := os.Open(c.blob(d))
	if err == nil {
		if info, err := f.Stat(); err == nil && info.Size() == size {
			return c.hold(d, f), nil
		}
		_ = f.Close() // cut off by a crash of the host
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if f, err = c.fetch(ctx, d, size, fill); err != nil {
		return nil, err
	}
	return c.hold(d, f), nil
}

// fetch fills an ingest and commits it. What an earlier run left may be
// damaged: then the fetch starts once more from nothing.
func (c *Cache) fetch(ctx context.Context, d Digest, size int64, fill fillFunc) (*os.File, error) {
	in, err := openIngest(c.partial(d), d, size)
	if err != nil {
		return nil, err
	}
	resumed := in.offset > 0
	err = c.fillAndCommit(ctx, in, fill)
	if resumed && model.CodeOf(err) == model.CodeIntegrity {
		if err = in.reset(); err == nil {
			err = c.fillAndCommit(ctx, in, fill)
		}
	}
	if err != nil {
		in.abandon(model.CodeOf(err) == model.CodeIntegrity)
		return nil, err
	}
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		in.abandon(false)
		return nil, err
	}
	return in.file, nil
}

func (c *Cache) fillAndCommit(ctx context.Context, in *ingest, fill fillFunc) error {
	if err := fill(ctx, in); err != nil {
		return err
	}
	return in.commit(c.blob(in.digest))
}

// read returns a small blob that is here and intact, else nil.
func (c *Cache) read(d Digest, most int64) []byte {
	f, err := os.Open(c.blob(d))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil || int64(len(b)) > most {
		return nil
	}
	h := d.newHash()
	h.Write(b)
	if !d.matches(h) {
		return nil
	}
	c.touch(d)
	return b
}

// put keeps a small blob whose digest has been checked.
func (c *Cache) put(d Digest, b []byte) error { return renameio.WriteFile(c.blob(d), b, 0o600) }

// evictDamaged removes the blob d when it is not what its digest says, and
// tells whether it did.
func (c *Cache) evictDamaged(ctx context.Context, d Digest) bool {
	unlock, err := c.locks.lock(ctx, string(d))
	if err != nil {
		return false
	}
	defer unlock()
	f, err := os.Open(c.blob(d))
	if err != nil {
		return false
	}
	defer f.Close()
	h := d.newHash()
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil || d.matches(h) {
		return false
	}
	return os.Remove(c.blob(d)) == nil
}

func (c *Cache) blob(d Digest) string {
	return filepath.Join(c.dir, "blobs", d.algorithm(), d.hex())
}

func (c *Cache) partial(d Digest) string {
	return filepath.Join(c.dir, "ingest", d.algorithm()+"-"+d.hex())
}
