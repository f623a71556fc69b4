package imagepull

import (
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"banger/internal/imagemgr"
	"banger/internal/model"
)

// ingest is a blob that grows: an append-only file and the hash of what it
// holds.
type ingest struct {
	file   *os.File
	path   string
	digest Digest
	size   int64 // what the blob will have
	offset int64 // what it has
	sum    hash.Hash

	arrival *arrival // told of what is written; nil when nobody waits for it
}

// openIngest continues the partial blob at path or begins it.
func openIngest(path string, d Digest, size int64) (*ingest, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the partial blob: %w", err)
	}
	in := &ingest{file: f, path: path, digest: d, size: size, sum: d.newHash()}
	in.offset, err = io.Copy(in.sum, io.LimitReader(f, size+1))
	if err != nil || in.offset > size {
		err = in.reset()
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("reading the partial blob: %w", err)
	}
	return in, nil
}

// Write appends to the blob; more than its size is refused.
func (in *ingest) Write(p []byte) (int, error) {
	if int64(len(p)) > in.size-in.offset {
		return 0, model.Errorf(model.CodeIntegrity, "blob %s is longer than the %d bytes of its descriptor", in.digest.Short(), in.size)
	}
	n, err := in.file.WriteAt(p, in.offset)
	in.offset += int64(n)
	if in.arrival != nil {
		in.arrival.grow(in.offset)
	}
	in.sum.Write(p[:n])
	if err != nil {
		return n, storageError(err)
	}
	return n, nil
}

// reset begins again from nothing.
func (in *ingest) reset() error {
	in.offset = 0
	if in.arrival != nil {
		in.arrival.restart()
	}
	in.sum.Reset()
	return in.file.Truncate(0)
}

// commit checks the blob, makes it durable and gives it its name.
func (in *ingest) commit(path string) error {
	if in.offset != in.size {
		return model.Errorf(model.CodeIntegrity, "blob %s ends after %d of %d bytes", in.digest.Short(), in.offset, in.size)
	}
	if !in.digest.matches(in.sum) {
		return model.Errorf(model.CodeIntegrity, "blob %s is not what its digest says", in.digest.Short())
	}
	if err := in.file.Sync(); err != nil {
		return storageError(err)
	}
	if err := os.Rename(in.path, path); err != nil {
		return storageError(err)
	}
	return imagemgr.SyncDir(filepath.Dir(path))
}

// abandon closes the partial blob and, when it is useless, removes it.
func (in *ingest) abandon(useless bool) {
	_ = in.file.Close()
	if useless {
		_ = os.Remove(in.path)
	}
}
