package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	bufferBlocks = 256          // of a write: 1 MiB
	chunkBlocks  = bufferBlocks // of a stream's turn at the allocator
	unitBlocks   = 8            // a hole is sought in each unit, so that holes cannot make more than one extent each
)

var errStreamClosed = errors.New("the stream is closed")

// Stream writes file bodies one behind the other. It is for one goroutine; a Writer has as many as wanted.
//
// A stream fills its region first, whose blocks it refers to by their numbers. What follows lies in chunks
// that it takes as it goes; where these stand depends on what other streams do at the time, so bodies refer
// to them by place in the stream (see chunkBlock) until the Writer puts the chunks in order.
type Stream struct {
	w           *Writer
	rank        uint64 // in w.streams
	region, end uint64 // blocks of the region, copies included
	chunks      []uint64
	taken       int // of chunks; more are left of what Rewind threw away

	space run    // left to write to
	named uint64 // what bodies call the first block of space
	buf   []byte // bufferBlocks; the first used blocks wait to be written at block at
	at    uint64
	used  uint64

	extents []extent // of the body being written
	arena   []extent // finished bodies' extents lie here, to save an allocation each
	err     error    // the first write error, or errStreamClosed
}

// NewStream returns a Stream, which must be closed before Finish.
func (w *Writer) NewStream() *Stream { return w.NewSizedStream(0) }

// NewSizedStream returns a Stream that is expected to write size bytes, and has so much of the image to
// itself; it may write less or more. Streams of the same sizes made in the same order place the same bodies
// at the same blocks, however they take turns.
func (w *Writer) NewSizedStream(size int64) *Stream {
	w.open.Add(1)
	s := &Stream{w: w}
	s.region, s.end = w.bodies.reserve(blocksFor(max(size, 0)))
	w.mu.Lock()
	defer w.mu.Unlock()
	s.rank = uint64(len(w.streams))
	w.streams = append(w.streams, s)
	s.Rewind()
	return s
}

// Rewind makes the stream begin again: no body that it has written may be used.
func (s *Stream) Rewind() {
	s.space = run{s.region, 0}
	s.taken, s.at, s.used = 0, 0, 0
}

// WriteBody copies exactly size bytes of r to the image and returns where they lie; it is an error when r
// ends early. Runs of zeros become holes. After an error of r the stream is still good.
func (s *Stream) WriteBody(r io.Reader, size int64) (Body, error) {
	if s.err != nil {
		return Body{}, s.err
	}
	if size < 0 || blocksFor(size) > maxFileBlocks {
		return Body{}, fmt.Errorf("a file of %d bytes is not possible in ext4", size)
	}
	s.extents = s.extents[:0]
	for done := int64(0); done < size; {
		n, err := s.writeUnit(r, done, size-done)
		if err != nil {
			return Body{}, err
		}
		done += n
	}
	return Body{size: size, extents: s.keepExtents()}, nil
}

// writeUnit copies the next few blocks of a body, or all its rest, and returns how many bytes that were.
func (s *Stream) writeUnit(r io.Reader, offset, rest int64) (int64, error) {
	window, err := s.window(min(blocksFor(rest), unitBlocks))
	if err != nil {
		return 0, err
	}
	n := min(rest, int64(len(window)))
	if _, err := io.ReadFull(r, window[:n]); err != nil {
		return 0, shortError(err)
	}
	window = window[:blocksFor(n)*blockSize]
	clear(window[n:])

	skip := leadingZeroBlocks(window)
	data := window[skip*blockSize:]
	data = data[:len(data)-trailingZeroBlocks(data)*blockSize]
	if skip > 0 {
		copy(window, data)
	}
	if blocks := uint64(len(data) / blockSize); blocks > 0 {
		logical := uint32(offset/blockSize) + uint32(skip)
		s.extents = addRun(s.extents, logical, s.named, blocks)
		s.used += blocks
		s.named += blocks
		s.space = run{s.space.start + blocks, s.space.n - blocks}
	}
	return n, nil
}

func shortError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading a file body: %w", err)
}

// window returns room in the buffer for 1 to want blocks that follow each other in the image too.
func (s *Stream) window(want uint64) ([]byte, error) {
	if s.space.n == 0 || s.used == bufferBlocks {
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
	if s.space.n == 0 {
		if err := s.more(); err != nil {
			return nil, err
		}
	}
	if s.buf == nil {
		s.buf = make([]byte, bufferBlocks*blockSize)
	}
	n := min(want, s.space.n, bufferBlocks-s.used)
	return s.buf[s.used*blockSize : (s.used+n)*blockSize], nil
}

// more finds space: what follows in the region, else a chunk.
func (s *Stream) more() error {
	if from := skipCopy(s.space.start); s.taken == 0 && from < s.end {
		s.space = clearRun(from, s.end-from)
		s.at, s.named = s.space.start, s.space.start
		return nil
	}
	if s.taken == len(s.chunks) {
		start, err := s.w.bodies.chunk()
		if err != nil {
			return err
		}
		s.chunks = append(s.chunks, start)
	}
	s.space = run{s.chunks[s.taken], chunkBlocks}
	s.at, s.named = s.space.start, chunkBlock(s.rank, s.taken)
	s.taken++
	return nil
}

// flush writes the buffer out.
func (s *Stream) flush() error {
	if s.used == 0 || s.err != nil {
		return s.err
	}
	if _, err := s.w.f.WriteAt(s.buf[:s.used*blockSize], int64(s.at)*blockSize); err != nil {
		s.err = fmt.Errorf("writing file bodies: %w", err)
		return s.err
	}
	s.at, s.used = s.at+s.used, 0
	return nil
}

// keepExtents returns a copy of the current body's extents.
func (s *Stream) keepExtents() []extent {
	n := len(s.extents)
	if n == 0 {
		return nil
	}
	if len(s.arena) < n {
		s.arena = make([]extent, max(n, 256))
	}
	kept := s.arena[:n:n]
	s.arena = s.arena[n:]
	copy(kept, s.extents)
	return kept
}

// Close writes what is buffered. It returns the first write error.
func (s *Stream) Close() error {
	if errors.Is(s.err, errStreamClosed) {
		return nil
	}
	err := s.flush()
	s.w.open.Add(-1)
	s.err, s.buf, s.arena, s.extents = errStreamClosed, nil, nil, nil
	return err
}

// leadingZeroBlocks returns how many whole blocks at the start of p are zero.
func leadingZeroBlocks(p []byte) int {
	n := 0
	for ; len(p) >= blockSize && isZero(p[:blockSize]); p = p[blockSize:] {
		n++
	}
	return n
}

func trailingZeroBlocks(p []byte) int {
	n := 0
	for ; len(p) >= blockSize && isZero(p[len(p)-blockSize:]); p = p[:len(p)-blockSize] {
		n++
	}
	return n
}

// zeros is read-only.
var zeros [blockSize]byte

// isZero reports whether a block holds only zeros; a first byte that is not saves the rest.
func isZero(block []byte) bool {
	return block[0] == 0 && bytes.Equal(block, zeros[:len(block)])
}
