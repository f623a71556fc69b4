package imagemgr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// digestBlock is the unit of RootfsDigest, in bytes.
const digestBlock = 64 << 10

// RootfsDigest returns the digest of a file's content that does not depend on
// where its holes lie, and that costs nothing for them: sha256 of the file's
// size and of all blocks of 64 KiB that hold anything but zeros, each behind
// its offset. Numbers are 8 bytes, most significant first.
func RootfsDigest(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("digesting: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("digesting: %w", err)
	}
	d := blockDigest{sum: sha256.New(), buf: make([]byte, digestBlock), zero: make([]byte, digestBlock)}
	d.number(info.Size())
	for at := int64(0); at < info.Size(); {
		if at, err = d.nextData(f, at); err != nil {
			return "", fmt.Errorf("digesting %s: %w", path, err)
		}
		if at < 0 {
			break
		}
		if err := errors.Join(ctx.Err(), d.block(f, at)); err != nil {
			return "", fmt.Errorf("digesting %s: %w", path, err)
		}
		at += digestBlock
	}
	return "sha256:" + hex.EncodeToString(d.sum.Sum(nil)), nil
}

type blockDigest struct {
	sum       hash.Hash
	buf, zero []byte
}

func (d *blockDigest) number(n int64) {
	d.sum.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// nextData returns the start of the next block at or behind the one at offset
// at that is not all hole; -1 when there is none.
func (d *blockDigest) nextData(f *os.File, at int64) (int64, error) {
	start, err := f.Seek(at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return start / digestBlock * digestBlock, nil
}

// block adds the block at offset at, unless it is all zeros.
func (d *blockDigest) block(f *os.File, at int64) error {
	n, err := f.ReadAt(d.buf, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(d.buf[:n], d.zero[:n]) {
		return nil
	}
	d.number(at)
	d.sum.Write(d.buf[:n])
	return nil
}
