package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"banger/internal/model"
)

// Entries of the tables of a qcow2 (QEMU, docs/interop/qcow2.txt).
const (
	entryOffset     = 0x00fffffffffffe00 // where a table or a cluster lies
	entryCompressed = 1 << 62
	entryZero       = 1 << 0
)

// Flatten makes dst, which must not exist, a raw disk with the content of a
// root disk that Clone made of base with method. No process may write to it.
// What lies in the disk is never taken for a format: a guest may write a
// header there.
func Flatten(ctx context.Context, path, method, base, dst string) error {
	if method != Overlay {
		base = path
	}
	size, err := sizeFor(base, 0)
	if err != nil {
		return err
	}
	err = writeWhole(dst, func(f *os.File) error {
		err := reflink(f, base, size)
		if cannotReflink(err) {
			err = copySparse(ctx, f, base, size)
		}
		if err != nil || method != Overlay {
			return err
		}
		return applyOverlay(ctx, f, path)
	})
	return explain("flattening", path, err)
}

// applyOverlay writes what an overlay holds over what lies below it.
func applyOverlay(ctx context.Context, f *os.File, path string) error {
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	o, err := openOverlay(src)
	if err != nil {
		return err
	}
	if err := f.Truncate(o.size); err != nil {
		return err
	}
	for i, entry := range o.l1 {
		if table := entry & entryOffset; table != 0 {
			if err := o.applyTable(ctx, f, int64(table), int64(i)*perL1Entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// overlay is a qcow2 that is being read.
type overlay struct {
	file *os.File
	size int64 // of the disk
	l1   []uint64
	buf  []byte
}

// openOverlay reads the header of an overlay with the geometry that
// writeOverlay gives it.
func openOverlay(f *os.File) (*overlay, error) {
	h := make([]byte, headerLength)
	if _, err := f.ReadAt(h, 0); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	be := binary.BigEndian
	o := &overlay{file: f, size: int64(be.Uint64(h[24:])), buf: make([]byte, clusterSize)}
	entries := int64(be.Uint32(h[36:]))
	const dirtyOrCorrupt = 3 // incompatible features that say: check me
	switch {
	case string(h[:4]) != magic || be.Uint32(h[4:]) != 3 || be.Uint32(h[20:]) != clusterBits:
		return nil, model.Errorf(model.CodeUnsupported, "the overlay is no qcow2 of version 3 with clusters of 64 KiB")
	case be.Uint32(h[32:]) != 0 || be.Uint32(h[60:]) != 0 || be.Uint64(h[72:])&^dirtyOrCorrupt != 0:
		return nil, model.Errorf(model.CodeUnsupported, "the overlay is encrypted, has snapshots, or features that are not known")
	case o.size <= 0 || o.size > maxDisk || entries < l1Entries(o.size) || entries > l1Entries(maxDisk):
		return nil, model.Errorf(model.CodeIntegrity, "the overlay has %d bytes and %d tables", o.size, entries)
	}
	table := make([]byte, 8*l1Entries(o.size))
	if _, err := f.ReadAt(table, int64(be.Uint64(h[40:]))); err != nil {
		return nil, fmt.Errorf("reading the first table: %w", err)
	}
	for ; len(table) > 0; table = table[8:] {
		o.l1 = append(o.l1, be.Uint64(table))
	}
	return o, nil
}

// applyTable writes the clusters of the second table at offset table; the
// first of them belongs at offset at of the disk.
func (o *overlay) applyTable(ctx context.Context, f *os.File, table, at int64) error {
	l2 := make([]byte, clusterSize)
	if _, err := o.file.ReadAt(l2, table); err != nil {
		return fmt.Errorf("reading a table: %w", err)
	}
	for ; len(l2) > 0 && at < o.size; l2, at = l2[8:], at+clusterSize {
		entry := binary.BigEndian.Uint64(l2)
		if entry == 0 {
			continue
		}
		if err := errors.Join(ctx.Err(), o.applyCluster(f, entry, at)); err != nil {
			return err
		}
	}
	return nil
}

func (o *overlay) applyCluster(f *os.File, entry uint64, at int64) error {
	data := o.buf[:min(clusterSize, o.size-at)]
	switch {
	case entry&entryCompressed != 0:
		return model.Errorf(model.CodeUnsupported, "the overlay has compressed clusters")
	case entry&entryZero != 0:
		clear(data)
	case entry&entryOffset == 0:
		return nil
	default:
		n, err := o.file.ReadAt(data, int64(entry&entryOffset))
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading a cluster: %w", err)
		}
		clear(data[n:]) // the last cluster of a file may be cut off
	}
	_, err := f.WriteAt(data, at)
	return err
}
