package imagepull

import (
	"errors"
	"hash"
	"io"

	"banger/internal/model"
)

// verifiedReader reads a blob from a place that is not the cache. In place of
// io.EOF it returns an error when the blob is not what its descriptor says.
type verifiedReader struct {
	io.ReadCloser
	digest Digest
	sum    hash.Hash
	left   int64
}

func newVerifiedReader(r io.ReadCloser, d Digest, size int64) *verifiedReader {
	return &verifiedReader{ReadCloser: r, digest: d, sum: d.newHash(), left: size}
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.sum.Write(p[:n])
	if v.left -= int64(n); v.left < 0 {
		return 0, model.Errorf(model.CodeIntegrity, "blob %s is longer than its descriptor says", v.digest.Short())
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if v.left > 0 || !v.digest.matches(v.sum) {
		return n, model.Errorf(model.CodeIntegrity, "blob %s is not what its digest says", v.digest.Short())
	}
	return n, io.EOF
}
