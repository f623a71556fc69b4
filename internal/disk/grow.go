package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"banger/internal/model"
	"banger/internal/vmm"
)

// Grow makes the disk of a VM that does not run larger; size is rounded up to
// 4 KiB. A disk never shrinks: a smaller size is of model.CodeInvalid.
func Grow(path string, format vmm.DiskFormat, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("growing a disk: %w", err)
	}
	grow := growRaw
	if format == vmm.Qcow2 {
		grow = growOverlay
	}
	err = grow(f, roundUp(size))
	if err == nil {
		err = f.Sync()
	}
	return explain("growing", path, errors.Join(err, f.Close()))
}

func growRaw(f *os.File, size int64) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := refuseShrink(st.Size(), size); err != nil {
		return err
	}
	return f.Truncate(size)
}

// growOverlay changes the size in the header of a qcow2 that Clone wrote. The
// new L1 entries are zeros that its clusters hold already; the two fields are
// in one sector, so that both change or none.
func growOverlay(f *os.File, size int64) error {
	header, err := readOverlay(f)
	if err != nil {
		return err
	}
	be := binary.BigEndian
	old := int64(be.Uint64(header[24:]))
	if err := refuseShrink(old, size); err != nil {
		return err
	}
	if entries := l1Entries(size); clustersOf(entries) > clustersOf(l1Entries(old)) {
		return model.Errorf(model.CodeUnsupported, "an overlay that was made for %d bytes cannot grow to %d", old, size)
	}
	be.PutUint64(header[24:], uint64(size))
	be.PutUint32(header[36:], max(be.Uint32(header[36:]), uint32(l1Entries(size))))
	_, err = f.WriteAt(header, 0)
	return err
}

// readOverlay returns the first sector of an overlay that Clone wrote.
func readOverlay(f *os.File) ([]byte, error) {
	header := make([]byte, 512)
	if _, err := io.ReadFull(f, header); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	be := binary.BigEndian
	if string(header[:4]) != magic || be.Uint32(header[20:]) != clusterBits || be.Uint64(header[40:]) != l1Offset {
		return nil, model.Errorf(model.CodeIntegrity, "it is no overlay as banger writes them")
	}
	return header, nil
}

// Size returns the size in bytes of a VM's disk as its guest sees it.
func Size(path string, format vmm.DiskFormat) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("measuring a disk: %w", err)
	}
	defer f.Close()
	if format == vmm.Qcow2 {
		header, err := readOverlay(f)
		if err != nil {
			return 0, fmt.Errorf("measuring %s: %w", path, err)
		}
		return int64(binary.BigEndian.Uint64(header[24:])), nil
	}
	st, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("measuring a disk: %w", err)
	}
	return st.Size(), nil
}

func refuseShrink(old, size int64) error {
	if size < old {
		return model.Errorf(model.CodeInvalid, "a disk of %d bytes cannot shrink to %d", old, size)
	}
	return nil
}
