package imagepull_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"banger/internal/imagepull"
)

// countedReader counts what is read of an endless archive.
type countedReader struct{ n atomic.Int64 }

func (c *countedReader) Read(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// However large an archive is, no more of it is held than the ring has room
// for.
func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	src := &countedReader{}
	a := imagepull.ReadAhead(src)
	for deadline := time.Now().Add(10 * time.Second); src.n.Load() < imagepull.MaxAhead; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d bytes were read ahead", src.n.Load())
		}
	}
	if _, err := io.CopyN(io.Discard, a, 3*imagepull.MaxAhead); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil { // with a full ring
		t.Fatal(err)
	}
	if most := int64(4 * imagepull.MaxAhead); src.n.Load() > most {
		t.Errorf("%d bytes were read, want %d at most", src.n.Load(), most)
	}
}

// An error comes behind all that was read before it, and stays.
func TestReadAheadError(t *testing.T) {
	t.Parallel()
	want, broken := incompressible(1_000_000), errors.New("broken")
	for name, end := range map[string]error{"end": io.EOF, "broken": broken, "cut off": io.ErrUnexpectedEOF} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := io.MultiReader(iotest.HalfReader(strings.NewReader(want)), iotest.ErrReader(end))
			a := imagepull.ReadAhead(src)
			defer a.Close()
			got := make([]byte, len(want))
			if _, err := io.ReadFull(a, got); err != nil || !bytes.Equal(got, []byte(want)) {
				t.Fatalf("read %v, equal: %v", err, bytes.Equal(got, []byte(want)))
			}
			for range 2 {
				if n, err := a.Read(got); n != 0 || !errors.Is(err, end) {
					t.Errorf("at the end: %d, %v", n, err)
				}
			}
		})
	}
}
