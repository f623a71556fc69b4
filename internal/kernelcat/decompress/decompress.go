package decompress

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"io"

	"banger/internal/model"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/therootcompany/xz"
	"github.com/ulikunitz/xz/lzma"
)

// Format is a compressed stream's format; "" is none that is known.
type Format string

// The formats. LZ4 is the legacy frame that `lz4 -l` writes. LZO is told but
// not read.
const (
	Gzip  Format = "gzip"
	XZ    Format = "xz"
	Zstd  Format = "zstd"
	LZ4   Format = "lz4"
	Bzip2 Format = "bzip2"
	LZMA  Format = "lzma"
	LZO   Format = "lzo"
)

// MagicSize is how many bytes Detect needs at most.
const MagicSize = 9

// maxWindow is the largest dictionary or window in bytes that a decoder may
// allocate: what the kernel's own build uses at most (zstd -22).
const maxWindow = 128 << 20

// magics are the formats' first bytes as the kernel tells them apart
// (lib/decompress.c). LZMA-alone has no true magic: these are its usual
// properties and the low byte of its dictionary's size.
var magics = []struct {
	format Format
	magic  string
}{
	{Gzip, "\x1f\x8b"},
	{XZ, "\xfd7zXZ\x00"},
	{Zstd, "\x28\xb5\x2f\xfd"},
	{LZ4, "\x02\x21\x4c\x18"},
	{Bzip2, "BZh"},
	{LZO, "\x89LZO\x00\x0d\x0a\x1a\x0a"},
	{LZMA, "\x5d\x00\x00"},
}

// Detect names the format of a stream that starts with head.
func Detect(head []byte) Format {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format
		}
	}
	return ""
}

// NewReader returns the plain bytes of r. The caller closes it; r stays open.
// LZO and unknown formats are CodeUnsupported, a header that asks for more
// memory than any real one is CodeLimit.
func NewReader(f Format, r io.Reader) (io.ReadCloser, error) {
	switch f {
	case Gzip:
		return gzip.NewReader(r)
	case XZ:
		return noClose(xz.NewReader(r, maxWindow))
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case LZ4:
		return io.NopCloser(lz4.NewReader(r)), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case LZMA:
		return newLZMA(r)
	default:
		return nil, model.Errorf(model.CodeUnsupported, "compression %q cannot be read", string(f))
	}
}

// newLZMA reads an LZMA-alone stream: properties (1 byte), dictionary size
// (4 bytes), plain size (8 bytes), data.
func newLZMA(r io.Reader) (io.ReadCloser, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if size := binary.LittleEndian.Uint32(head[1:]); size > maxWindow {
		return nil, model.Errorf(model.CodeLimit, "lzma dictionary of %d bytes: at most %d are allowed", size, maxWindow)
	}
	return noClose(lzma.NewReader(io.MultiReader(bytes.NewReader(head), r)))
}

// noClose adds the Close that a decoder without resources lacks.
func noClose(r io.Reader, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}

// All returns the plain bytes of data, at most max of them; more is CodeLimit.
func All(f Format, data []byte, max int64) ([]byte, error) {
	r, err := NewReader(f, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, max+1))
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return nil, err
	case int64(len(plain)) > max:
		return nil, model.Errorf(model.CodeLimit, "%s data unpacks to more than %d bytes", f, max)
	}
	return plain, nil
}
