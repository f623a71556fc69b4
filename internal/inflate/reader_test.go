package inflate_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"testing/iotest"

	kgzip "github.com/klauspost/compress/gzip"

	"banger/internal/inflate"
)

// corpus returns inputs that make compressors use every kind of block, code
// length and match.
func corpus() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 100<<10)
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	words := make([]byte, 0, 1<<20)
	for len(words) < 300<<10 {
		words = fmt.Appendf(words, "%x ", rng.IntN(5000))
	}
	skewed := make([]byte, 100<<10)
	for i := range skewed {
		skewed[i] = byte(rng.ExpFloat64() * 9)
	}
	periods := make([]byte, 0, 1<<20)
	for p := 1; p < 300; p++ {
		periods = append(periods, bytes.Repeat(random[p:2*p], 1+900/p)...)
	}
	return map[string][]byte{
		"empty": nil, "one": {7}, "zeros": make([]byte, 1<<20), "random": random,
		"words": words, "skewed": skewed, "periods": periods,
		"mixed": bytes.Join([][]byte{random[:70000], words, random[:70000], skewed}, nil),
	}
}

func compress(t testing.TB, level int, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReaderGivesBackWhatWasCompressed(t *testing.T) {
	t.Parallel()
	for name, data := range corpus() {
		for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, 1, 6, 9} {
			packed := compress(t, level, data)
			for way, src := range map[string]io.Reader{
				"whole": bytes.NewReader(packed), "halves": iotest.HalfReader(bytes.NewReader(packed)),
				"bytes with EOF": iotest.DataErrReader(bytes.NewReader(packed)),
			} {
				got, err := io.ReadAll(inflate.NewReader(src))
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%s, level %d, %s: %d of %d bytes, %v", name, level, way, len(got), len(data), err)
				}
			}
		}
	}
}

func TestMembersAndHeaders(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name, w.Comment, w.Extra = "name", "comment", bytes.Repeat([]byte{1}, 9000)
	_, _ = w.Write([]byte("one"))
	_ = w.Close()
	b.Write(compress(t, 9, []byte("two")))
	var out bytes.Buffer
	n, err := inflate.NewReader(&b).WriteTo(&out)
	if err != nil || n != 6 || out.String() != "onetwo" {
		t.Errorf("%q, %d, %v", out.String(), n, err)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	good := compress(t, 6, corpus()["words"])
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[(at+len(b))%len(b)] ^= v
		return b
	}
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":              {nil, io.ErrUnexpectedEOF},
		"no gzip":              {[]byte("this is no gzip at all"), inflate.ErrCorrupt},
		"reserved flags":       {change(3, 0x80), inflate.ErrCorrupt},
		"checksum":             {change(-8, 1), inflate.ErrCorrupt},
		"length":               {change(-1, 1), inflate.ErrCorrupt},
		"cut in the header":    {good[:5], io.ErrUnexpectedEOF},
		"cut in the data":      {good[:len(good)/2], io.ErrUnexpectedEOF},
		"cut before the sum":   {good[:len(good)-8], io.ErrUnexpectedEOF},
		"cut in the sum":       {good[:len(good)-1], io.ErrUnexpectedEOF},
		"junk behind":          {append(bytes.Clone(good), "junk that is long"...), inflate.ErrCorrupt},
		"zeros behind":         {append(bytes.Clone(good), make([]byte, 512)...), inflate.ErrCorrupt},
		"half a member behind": {append(bytes.Clone(good), good[:100]...), io.ErrUnexpectedEOF},
	} {
		_, err := io.Copy(io.Discard, inflate.NewReader(bytes.NewReader(tc.data)))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	broken := errors.New("broken wire")
	if _, err := io.Copy(io.Discard, inflate.NewReader(io.MultiReader(bytes.NewReader(good[:99]), iotest.ErrReader(broken)))); !errors.Is(err, broken) {
		t.Errorf("the source's error is lost: %v", err)
	}
}

// FuzzAgainstTheStandardLibrary: both accept the same streams and give the
// same bytes.
func FuzzAgainstTheStandardLibrary(f *testing.F) {
	for _, data := range corpus() {
		for _, level := range []int{gzip.HuffmanOnly, 0, 1, 9} {
			f.Add(compress(f, level, data[:min(len(data), 3000)]))
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		const limit = 8 << 20
		var want []byte
		std, stdErr := gzip.NewReader(bytes.NewReader(packed))
		if stdErr == nil {
			want, stdErr = io.ReadAll(io.LimitReader(std, limit))
		}
		got, err := io.ReadAll(io.LimitReader(inflate.NewReader(bytes.NewReader(packed)), limit))
		reserved := len(packed) > 3 && packed[3]&0xe0 != 0 // which the standard library lets pass
		if (err == nil) != (stdErr == nil) && !reserved {
			t.Fatalf("%v, the standard library says %v", err, stdErr)
		}
		if err == nil && stdErr == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes differ from the standard library's %d", len(got), len(want))
		}
	})
}

// BenchmarkReader compares with the other libraries; BANGER_BENCH_GZ names a
// file to use instead of made-up text.
func BenchmarkReader(b *testing.B) {
	packed := compress(b, 6, bytes.Repeat(corpus()["mixed"], 8))
	if path := os.Getenv("BANGER_BENCH_GZ"); path != "" {
		var err error
		if packed, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	for name, open := range map[string]func(io.Reader) (io.Reader, error){
		"banger":    func(r io.Reader) (io.Reader, error) { return inflate.NewReader(r), nil },
		"klauspost": func(r io.Reader) (io.Reader, error) { return kgzip.NewReader(r) },
		"std":       func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r, err := open(bytes.NewReader(packed))
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, r)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
			}
		})
	}
}
