package imagepull_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"banger/internal/imagepull"
	"banger/internal/model"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstded(t testing.TB, b []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// skippable is a zstd frame that is to be skipped, as zstd:chunked has.
func skippable(content string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0x184D2A50)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
	return append(b, content...)
}

// Rows 44 to 50: how a layer may be packed.
func TestPacking(t *testing.T) {
	t.Parallel()
	plain := archive(t, file("a", incompressible(10_000)))
	bare := plain[:len(plain)-1024] // without the blocks that end an archive
	limits := imagepull.DefaultLimits()
	limits.OutputBytes = 1 << 20
	limits.WindowBytes = 1 << 20
	limits.Entries = 100
	limits.MetadataBytes = 60_000
	cases := []struct {
		name string
		blob []byte
		code model.Code
		says string
	}{
		{"44 padding", append(bytes.Clone(plain), make([]byte, 10_240)...), "", ""},
		{"44 junk behind the archive", append(bytes.Clone(plain), "junk"...), model.CodeIntegrity, "follows the end"},
		{"44 second archive behind the archive", append(bytes.Clone(plain), plain...), model.CodeIntegrity, "follows the end"},
		{"45 gzip without its checksum", gzipped(t, plain)[:len(gzipped(t, plain))-8], model.CodeIntegrity, ""},
		{"45 gzip with half a checksum", gzipped(t, plain)[:len(gzipped(t, plain))-4], model.CodeIntegrity, ""},
		{"46 two gzip members", append(gzipped(t, plain[:5000]), gzipped(t, plain[5000:])...), "", ""},
		{"46 junk behind gzip", append(gzipped(t, plain), "junk"...), model.CodeIntegrity, ""},
		{"46 no end of archive", bare, "", ""},
		{"46 nothing at all", nil, "", ""},
		{"46 cut in a header", plain[:300], model.CodeIntegrity, ""},
		{"46 cut in a body", plain[:5000], model.CodeIntegrity, "EOF"},
		{"47 plain", plain, "", ""},
		{"47 gzip", gzipped(t, plain), "", ""},
		{"47 zstd", zstded(t, plain), "", ""},
		{"47 text", []byte(strings.Repeat("not an archive ", 100)), model.CodeIntegrity, "header"},
		{"48 zstd with skippable frames", append(append(skippable("head"), zstded(t, plain)...), skippable("toc")...), "", ""},
		{"48 zstd with two frames", append(zstded(t, plain[:5000]), zstded(t, plain[5000:])...), "", ""},
		{"48 zstd cut", zstded(t, plain)[:9000], model.CodeIntegrity, ""},
		{"48 zstd with junk", append(zstded(t, plain), "junk"...), model.CodeIntegrity, ""},
		{"48 huge window", zstded(t, make([]byte, 8<<20), zstd.WithWindowSize(4<<20), zstd.WithSingleSegment(false)), model.CodeLimit, "window_bytes"},
		{"49 bomb in a body", gzipped(t, archive(t, file("zeros", strings.Repeat("\x00", 2<<20)))), model.CodeLimit, "output_bytes"},
		{"49 bomb behind the archive", gzipped(t, append(bytes.Clone(plain), make([]byte, 2<<20)...)), model.CodeLimit, "output_bytes"},
		{"49 many entries", archive(t, repeated(dir("d"), 101)...), model.CodeLimit, "entries"},
		{"49 many names", archive(t, repeated(dir(strings.Repeat("n/", 1000)), 30)...), model.CodeLimit, "metadata_bytes"},
		{"50 xz", []byte("\xfd7zXZ\x00\x00\x04"), model.CodeUnsupported, "xz"},
		{"50 bzip2", []byte("BZh91AY"), model.CodeUnsupported, "bzip2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := imagepull.FlattenArchives(context.Background(), limits, model.Discard, c.blob)
			if model.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v (%s), want %q with %q", err, model.CodeOf(err), c.code, c.says)
			}
		})
	}
}

func repeated(m member, n int) []member {
	var members []member
	for range n {
		members = append(members, m)
	}
	return members
}

// Row 41: a sparse member has its logical content, and its logical size counts.
func TestSparse(t *testing.T) {
	t.Parallel()
	// A GNU sparse header: "data" at 1 MiB of a file of 1 MiB and 4 bytes.
	header := rawHeader("s", 'S', map[int]string{
		124: "00000000004\x00", 257: "ustar  \x00", 386: "00004000000\x00", 398: "00000000004\x00", 483: "00004000004\x00"})
	layer := append(header, append([]byte("data"), make([]byte, 508)...)...)
	root, contents, err := imagepull.FlattenArchives(context.Background(), imagepull.DefaultLimits(), model.Discard, layer)
	if err != nil {
		t.Fatal(err)
	}
	want := append(make([]byte, 1<<20), "data"...)
	if got := contents.Of(root.Children["s"]); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	limits := imagepull.DefaultLimits()
	limits.OutputBytes = 1 << 20
	if _, _, err := imagepull.FlattenArchives(context.Background(), limits, model.Discard, layer); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("above the limit: %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	for _, c := range hostileCases {
		f.Add(archive(f, c.lower...), archive(f, c.layer...))
	}
	limits := imagepull.DefaultLimits()
	limits.OutputBytes, limits.Lookups = 16<<20, 1<<20
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		root, _, err := imagepull.FlattenArchives(context.Background(), limits, model.Discard, lower, upper)
		if err == nil && root == nil {
			t.Error("neither a tree nor an error")
		}
	})
}
