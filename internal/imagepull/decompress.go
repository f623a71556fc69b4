package imagepull

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"banger/internal/inflate"
	"banger/internal/model"
)

// magics are the first bytes of what a layer may turn out to be.
var magics = []struct{ format, magic string }{
	{"gzip", "\x1f\x8b"},         // RFC 1952
	{"zstd", "\x28\xb5\x2f\xfd"}, // RFC 8878
	{"xz", "\xfd7zXZ\x00"},
	{"bzip2", "BZh"},
	{"lz4", "\x04\x22\x4d\x18"},
	{"zip", "PK\x03\x04"},
}

// formatOf tells what bytes begin with; "tar" when they are not compressed
// in a way that is known.
func formatOf(head []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format
		}
	}
	// Skippable zstd frames (RFC 8878, 3.1.2): magic 0x184D2A50 to 0x184D2A5F.
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")) {
		return "zstd"
	}
	return "tar"
}

// decompress returns the archive in blob, whose format is told by its first
// bytes and not by its media type. Reading to the end checks the checksums.
func decompress(blob io.Reader, limits Limits) (io.ReadCloser, error) {
	buf := bufio.NewReaderSize(blob, 16) // for the peek; longer reads pass it by
	head, err := buf.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch format := formatOf(head); format {
	case "tar":
		return io.NopCloser(buf), nil
	case "gzip":
		return io.NopCloser(inflate.NewReader(buf)), nil
	case "zstd":
		d, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(limits.WindowBytes))
		if err != nil {
			return nil, err
		}
		return windowBound{d.IOReadCloser(), limits.WindowBytes}, nil
	default:
		return nil, model.Errorf(model.CodeUnsupported, "the layer is compressed with %s: only gzip, zstd and plain tar are read", format)
	}
}

// windowBound names the limit that a zstd frame goes beyond.
type windowBound struct {
	io.ReadCloser
	most uint64
}

func (w windowBound) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = limitError("window_bytes", w.most, "a zstd frame wants a larger window")
	}
	return n, err
}
