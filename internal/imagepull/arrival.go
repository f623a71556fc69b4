package imagepull

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"banger/internal/model"
)

// errRestarted tells a reader that what it has read of a blob is not what the
// blob will be.
var errRestarted = errors.New("the transfer began anew")

// arrival is the fetch of a blob, as those see it who read the blob meanwhile.
type arrival struct {
	over chan struct{} // closed when the fetch has ended

	mu       sync.Mutex
	news     chan struct{} // closed by the next change
	size     int64         // bytes that can be read
	restarts int           // how often those became void
	err      error         // of the fetch; nil while it goes on
	ended    bool
}

func newArrival() *arrival {
	return &arrival{over: make(chan struct{}), news: make(chan struct{})}
}

// change carries out f and wakes those who wait.
func (a *arrival) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	close(a.news)
	a.news = make(chan struct{})
}

func (a *arrival) grow(size int64) { a.change(func() { a.size = size }) }

func (a *arrival) restart() { a.change(func() { a.size, a.restarts = 0, a.restarts+1 }) }

// end tells that the blob is whole and verified, or why it will not be.
func (a *arrival) end(err error) {
	a.change(func() { a.err, a.ended = err, true })
	close(a.over)
}

// wait returns how many bytes can be read once that is more than offset or
// the fetch has ended.
func (a *arrival) wait(offset int64, closed <-chan struct{}) (size int64, restarts int, err error) {
	for {
		a.mu.Lock()
		size, restarts, ended, err, news := a.size, a.restarts, a.ended, a.err, a.news
		a.mu.Unlock()
		switch {
		case ended && err != nil:
			return 0, restarts, err
		case restarts > 0 || size > offset || ended:
			return size, restarts, nil
		}
		select {
		case <-news:
		case <-closed:
			return 0, 0, os.ErrClosed
		}
	}
}

// incoming is a blob that is read while it is fetched. It ends, with io.EOF,
// only after the blob has been verified: all that was read is to be thrown
// away when it does not.
type incoming struct {
	*blobFile
	arrival *arrival
	offset  int64
	closed  chan struct{}
	close   func() error
}

func newIncoming(f *blobFile, a *arrival) *incoming {
	in := &incoming{blobFile: f, arrival: a, closed: make(chan struct{})}
	in.close = sync.OnceValue(func() error {
		close(in.closed)
		return f.Close()
	})
	return in
}

// Read implements io.Reader. It waits for bytes that have not arrived.
func (in *incoming) Read(p []byte) (int, error) {
	size, restarts, err := in.arrival.wait(in.offset, in.closed)
	if err == nil && restarts > 0 {
		err = errRestarted
	}
	if err != nil {
		return 0, err
	}
	if in.offset >= size {
		return 0, io.EOF
	}
	n, err := in.ReadAt(p[:min(int64(len(p)), size-in.offset)], in.offset)
	in.offset += int64(n)
	if errors.Is(err, io.EOF) { // cut by a restart, of which the next call tells
		err = nil
	}
	return n, err
}

// Close ends a Read that waits; the fetch goes on.
func (in *incoming) Close() error { return in.close() }

// outcome waits for the fetch and tells how it ended, and whether what was
// read of the blob was void.
func (in *incoming) outcome() (restarted bool, err error) {
	<-in.arrival.over
	return in.arrival.restarts > 0, in.arrival.err
}

// follow opens the blob d of size bytes like get, but does not wait for it: a
// blob that has to be fetched, and of which nothing is here, is read as it
// comes. The fetch ends with ctx.
func (c *Cache) follow(ctx context.Context, d Digest, size int64, fill fillFunc) (io.ReadCloser, error) {
	unlock, err := c.locks.lock(ctx, string(d))
	if err != nil {
		return nil, err
	}
	in, err := c.begin(d, size)
	if err != nil {
		unlock()
		return nil, err
	}
	if in == nil {
		unlock()
		return c.get(ctx, d, size, fill)
	}
	f, err := os.Open(in.path)
	if err != nil {
		in.abandon(false)
		unlock()
		return nil, err
	}
	in.arrival = newArrival()
	c.usage.add(d, 1)
	reader := newIncoming(&blobFile{f, sync.OnceFunc(func() { c.usage.add(d, -1) })}, in.arrival)
	go func() {
		defer unlock()
		err := c.fillAndCommit(ctx, in, fill)
		in.abandon(model.CodeOf(err) == model.CodeIntegrity)
		in.arrival.end(err)
	}()
	return reader, nil
}

// begin opens the ingest of a blob; nil when the blob is here, or a part of it
// that an earlier run left, which is not trusted before all is verified.
func (c *Cache) begin(d Digest, size int64) (*ingest, error) {
	if info, err := os.Stat(c.blob(d)); err == nil && info.Size() == size {
		return nil, nil
	}
	in, err := openIngest(c.partial(d), d, size)
	if err == nil && in.offset > 0 {
		in.abandon(false)
		return nil, nil
	}
	return in, err
}
