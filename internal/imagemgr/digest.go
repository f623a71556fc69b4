package imagemgr

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Units of RootfsDigest, in bytes.
const (
	digestBlock   = 64 << 10
	digestSegment = 4 << 20 // what is read by one goroutine
)

// RootfsDigest returns the digest of a file's content that does not depend on
// where its holes lie, and that costs nothing for them: sha256 of the file's
// size and, for each block of 64 KiB that holds anything but zeros, its offset
// and its CRC-32C. Numbers are 8 bytes, most significant first. It is there to
// find what a disk has lost, at the speed of memory; it is no proof against
// somebody who can write the file, and who could write the record as well.
func RootfsDigest(ctx context.Context, path string) (string, error) {
	digest, err := rootfsDigest(ctx, path)
	if err != nil {
		return "", fmt.Errorf("digesting %s: %w", path, err)
	}
	return digest, nil
}

func rootfsDigest(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	segments, err := digestSegments(ctx, f)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(binary.BigEndian.AppendUint64(nil, uint64(info.Size())))
	for _, segment := range segments {
		sum.Write(*segment)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// digestSegments returns what each segment of f that is not all hole adds to
// the digest, lowest first.
func digestSegments(ctx context.Context, f *os.File) ([]*[]byte, error) {
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(runtime.GOMAXPROCS(0))
	var segments []*[]byte
	for at := int64(0); ctx.Err() == nil; {
		start, end, err := nextData(f, at)
		if err != nil {
			return nil, errors.Join(err, readers.Wait())
		}
		if start == end {
			break
		}
		at = min(end, start+digestSegment)
		segment := new([]byte)
		segments = append(segments, segment)
		blocks := io.NewSectionReader(f, start, at-start)
		readers.Go(func() (err error) {
			*segment, err = digestBlocks(blocks, start)
			return errors.Join(err, ctx.Err())
		})
	}
	stopped := ctx.Err()
	return segments, cmp.Or(readers.Wait(), stopped)
}

// nextData returns the blocks of f from at on that hold data, up to the next
// hole; none at its end. at begins a block.
func nextData(f *os.File, at int64) (start, end int64, err error) {
	data, err := f.Seek(at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return at, at, nil
	}
	if err != nil {
		return 0, 0, err
	}
	hole, err := f.Seek(data, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, err
	}
	return data / digestBlock * digestBlock, (hole + digestBlock - 1) / digestBlock * digestBlock, nil
}

// digestBlocks returns offset and checksum of the blocks of r that are not all
// zeros; r begins at offset at.
func digestBlocks(r io.Reader, at int64) ([]byte, error) {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	buf := make([]byte, digestBlock)
	var zero [digestBlock]byte
	var sums []byte
	for ; ; at += digestBlock {
		n, err := io.ReadFull(r, buf)
		if n > 0 && !bytes.Equal(buf[:n], zero[:n]) {
			sums = binary.BigEndian.AppendUint64(sums, uint64(at))
			sums = binary.BigEndian.AppendUint64(sums, uint64(crc32.Checksum(buf[:n], castagnoli)))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return sums, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
