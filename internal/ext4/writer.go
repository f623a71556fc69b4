package ext4

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Writer makes one filesystem. NewStream, Discard and the streams may be used from many goroutines; Need
// and Finish from one, when all streams are closed.
type Writer struct {
	f      File
	opt    Options
	bodies bodySpace
	open   atomic.Int64 // streams
	done   bool
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

// discardNow is the least extent, in blocks, that Discard punches out at once. Smaller ones may still be in
// a stream's buffer and are cheaper when Finish joins them.
const discardNow = 1024

// Discard frees the blocks of a body that no inode will use. Finish frees every body outside its tree, so
// this only makes the space of large ones available earlier.
func (w *Writer) Discard(b Body) {
	for _, e := range b.extents {
		if e.count >= discardNow {
			// What cannot be punched now, Finish clears.
			_ = punchHole(w.f, int64(e.block)*blockSize, int64(e.count)*blockSize)
		}
	}
}

// Need returns the smallest size, in bytes, that Finish accepts for the tree: its bodies, metadata, a
// small journal and spare inodes. It does not change the image.
func (w *Writer) Need(ctx context.Context, root *Node) (int64, error) {
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
