package ext4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// File is what an image is written to; *os.File satisfies it. Bytes never written read as zeros.
//
// A File with a method PunchHole(offset, length int64) error, or an *os.File on a filesystem that has
// fallocate(2), gives the space of discarded bodies back; on others it is filled with zeros.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// Options are what a filesystem is, apart from its content. Take the ids from a digest of the content to
// have the same bytes for the same content.
type Options struct {
	UUID     [16]byte
	HashSeed [16]byte // of directory hashes
	Label    string   // at most 16 bytes
	Time     time.Time
}

// Writer makes one filesystem. The streams may be used from many goroutines; all else from one, Need and
// Finish when all streams are closed.
type Writer struct {
	f      File
	opt    Options
	bodies bodySpace
	open   atomic.Int64 // streams
	done   bool

	mu      sync.Mutex
	streams []*Stream // by rank
	ordered chunkMap  // made when all are closed
}

// Create empties f and begins an image in it.
func Create(f File, opt Options) (*Writer, error) {
	if len(opt.Label) > 16 {
		return nil, fmt.Errorf("label %q is longer than 16 bytes", opt.Label)
	}
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("emptying the image: %w", err)
	}
	return &Writer{f: f, opt: opt, bodies: bodySpace{next: copyBlocks}}, nil
}

// Need returns the smallest size, in bytes, that Finish accepts for the tree: its bodies, metadata, a
// small journal and spare inodes.
func (w *Writer) Need(ctx context.Context, root *Node) (int64, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	if err := w.orderChunks(ctx); err != nil {
		return 0, err
	}
	t, err := w.scan(ctx, root)
	if err != nil {
		return 0, err
	}
	return w.need(t), nil
}

// need is the less of leaving the bodies where they are and of closing the gaps between them.
func (w *Writer) need(t *tree) int64 {
	asIs := smallest(t.end, t.demand())
	packed := smallest(t.packedEnd(), t.packedDemand())
	return int64(min(asIs, packed)) * blockSize
}

var (
	errFinished    = errors.New("the filesystem is finished")
	errStreamsOpen = errors.New("a stream is still open")
)

// ready returns an error unless Finish may run.
func (w *Writer) ready() error {
	switch {
	case w.done:
		return errFinished
	case w.open.Load() != 0:
		return errStreamsOpen
	}
	return nil
}
