package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"
)

// ext4ResizeFS is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64) of fs/ext4/ext4.h.
const ext4ResizeFS = 0x40086610

// The superblock of ext4 (Documentation/filesystems/ext4/super.rst).
const (
	superOffset     = 1024
	superSize       = 1024
	superBlocksLow  = 0x4
	superLogBlock   = 0x18
	superMagic      = 0x38
	superBlocksHigh = 0x150
	ext4Magic       = 0xef53
	maxLogBlock     = 6 // 64 KiB
)

// grow makes the filesystem mounted on dir as large as its device. It is done
// on line, by the kernel; a filesystem that fills its device is left alone.
func grow(device, dir string) error {
	have, want, err := blocks(device)
	if err != nil || have >= want {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ioctlPointer(f, ext4ResizeFS, unsafe.Pointer(&want)); err != nil {
		return fmt.Errorf("growing %s from %d to %d blocks: %w", device, have, want, err)
	}
	return nil
}

// blocks returns how many blocks the ext4 on device has, and how many of that
// size fit the device.
func blocks(device string) (have, want uint64, err error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	super := make([]byte, superSize)
	if _, err := f.ReadAt(super, superOffset); err != nil {
		return 0, 0, fmt.Errorf("reading the superblock of %s: %w", device, err)
	}
	le := binary.LittleEndian
	shift := le.Uint32(super[superLogBlock:])
	if le.Uint16(super[superMagic:]) != ext4Magic || shift > maxLogBlock {
		return 0, 0, errors.New(device + " has no ext4 superblock")
	}
	have = uint64(le.Uint32(super[superBlocksLow:])) | uint64(le.Uint32(super[superBlocksHigh:]))<<32
	return have, uint64(size) >> (10 + shift), nil
}
