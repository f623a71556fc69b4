package imagepull

import (
	"errors"
	"hash"
	"io"
	"sync"
)

const (
	aheadChunk  = 256 << 10 // as much as the inflater gives at once; fits a core's cache
	aheadChunks = 6         // of one archive: what bounds its memory
)

// aheadReader reads an archive before it is asked to. One goroutine fills
// chunks, one hashes them, and whoever calls Read parses what is in them: the
// three take turns on the same few chunks, so that the slowest of them sets
// the pace and no more than aheadChunks are ever held.
type aheadReader struct {
	sum    hash.Hash
	filled chan chunk    // in order; closed behind the last
	hashed chan chunk    // the same
	spare  chan []byte   // chunks that may be filled again
	stop   chan struct{} // closed when no more is wanted
	ended  sync.WaitGroup

	current chunk  // being read
	rest    []byte // of current
}

// chunk is a part of an archive. err is what follows it.
type chunk struct {
	data []byte
	err  error
}

// readAhead starts to read r, every byte of which goes through sum. Until
// Close has returned, r and sum are not the caller's; sum is once Read has
// returned an error.
func readAhead(r io.Reader, sum hash.Hash) *aheadReader {
	a := &aheadReader{
		sum:    sum,
		filled: make(chan chunk, aheadChunks),
		hashed: make(chan chunk, aheadChunks),
		spare:  make(chan []byte, aheadChunks),
		stop:   make(chan struct{}),
	}
	a.ended.Go(func() { a.fill(r) })
	a.ended.Go(a.hash)
	return a
}

// fill reads r to its end or until stop. Neither of the channels behind it can
// be full: there are not more chunks than they have room for.
func (a *aheadReader) fill(r io.Reader) {
	defer close(a.filled)
	for made := 0; ; {
		var buf []byte
		if made < aheadChunks && len(a.spare) == 0 {
			buf, made = make([]byte, aheadChunk), made+1
		}
		if buf == nil {
			select {
			case buf = <-a.spare:
			case <-a.stop:
				return
			}
		}
		c := readChunk(r, buf)
		a.filled <- c
		if c.err != nil {
			return
		}
	}
}

// readChunk fills buf as far as r goes.
func readChunk(r io.Reader, buf []byte) chunk {
	n := 0
	for n < len(buf) {
		got, err := r.Read(buf[n:])
		n += got
		if err != nil {
			return chunk{buf[:n], err}
		}
	}
	return chunk{buf, nil}
}

func (a *aheadReader) hash() {
	defer close(a.hashed)
	for c := range a.filled {
		a.sum.Write(c.data)
		a.hashed <- c
	}
}

// Read implements io.Reader. An error of the archive comes where the archive
// has it.
func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.current.err != nil {
			return 0, a.current.err
		}
		a.next()
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// next gives the current chunk back and waits for the one behind it.
func (a *aheadReader) next() {
	if a.current.data != nil {
		a.spare <- a.current.data[:aheadChunk]
	}
	c, ok := <-a.hashed
	if !ok {
		c.err = errors.New("the archive is closed")
	}
	a.current, a.rest = c, c.data
}

// Close waits until r is not read any more. A read of r that hangs is for the
// caller to end.
func (a *aheadReader) Close() error {
	close(a.stop)
	a.ended.Wait()
	return nil
}
