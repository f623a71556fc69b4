package imagemgr_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"banger/internal/imagemgr"
)

// TestRootfsDigest: equal content has one digest however its holes lie, and
// any other change shows.
func TestRootfsDigest(t *testing.T) {
	t.Parallel()
	const size = 9<<20 + 100 // three segments, the last block a short one
	content := make([]byte, size)
	copy(content[5<<20:], bytes.Repeat([]byte("banger"), 30_000))
	content[size-1] = 1
	want := digest(t, content, false)
	if got := digest(t, content, true); got != want {
		t.Errorf("with holes %s, without %s", got, want)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"first byte":           func(b []byte) []byte { b[0] = 1; return b },
		"a byte of the middle": func(b []byte) []byte { b[5<<20+77]++; return b },
		"last byte":            func(b []byte) []byte { b[size-1] = 2; return b },
		"a block moved": func(b []byte) []byte {
			copy(b[1<<20:], b[5<<20:6<<20])
			clear(b[5<<20 : 6<<20])
			return b
		},
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"shorter": func(b []byte) []byte { return b[:8<<20] },
	} {
		if got := digest(t, change(bytes.Clone(content)), true); got == want {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

// digest writes content, its zeros as holes if sparse, and digests the file.
func digest(t *testing.T, content []byte, sparse bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.ext4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const unit = 4096
	for at := 0; at < len(content); at += unit {
		part := content[at:min(at+unit, len(content))]
		if sparse && bytes.Count(part, []byte{0}) == len(part) {
			continue
		}
		if _, err := f.WriteAt(part, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(int64(len(content))); err != nil {
		t.Fatal(err)
	}
	got, err := imagemgr.RootfsDigest(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A call that was canceled has no digest, not that of an empty file.
func TestRootfsDigestCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "rootfs.ext4")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if digest, err := imagemgr.RootfsDigest(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("%q, error %v", digest, err)
	}
}
