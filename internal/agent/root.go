package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

const (
	newRoot = "/newroot"
	// diskTime is how long the root disk may take to appear.
	diskTime = 10 * time.Second
)

// enterRoot mounts the root filesystem and makes it "/". The initramfs cannot
// be left by pivot_root (the kernel's filesystems/ramfs-rootfs-initramfs):
// its files are removed to free their memory, and the root is moved over it.
func enterRoot(root wire.RootFS) error {
	if err := awaitFile(root.Device, diskTime); err != nil {
		return fmt.Errorf("waiting for the root disk: %w", err)
	}
	m := mount{root.Device, newRoot, root.FSType, unix.MS_NOATIME, ""}
	if err := m.do(); err != nil {
		return err
	}
	if root.Grow {
		if err := grow(newRoot, root.Device); err != nil {
			return fmt.Errorf("growing the root filesystem: %w", err)
		}
	}
	for _, path := range []string{"/modules", "/modules.list", "/init"} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := unix.Chdir(newRoot); err != nil {
		return fmt.Errorf("entering the root filesystem: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root filesystem: %w", err)
	}
	return errors.Join(unix.Chroot("."), unix.Chdir("/"))
}

func awaitFile(path string, limit time.Duration) error {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		_, err := os.Stat(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) || time.Since(began) > limit {
			return err
		}
	}
}

// mountSystem mounts what programs expect, anew and inside the root: what an
// image has put in the way of a mount point is its own loss.
func mountSystem() error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []mount{
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
		{"proc", "/proc", "proc", quiet, ""},
		{"sysfs", "/sys", "sysfs", quiet, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
		{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	cgroup := mount{"cgroup2", "/sys/fs/cgroup", "cgroup2", quiet, ""}
	if err := unix.Mount(cgroup.source, cgroup.target, cgroup.fsType, cgroup.flags, ""); err != nil && !errors.Is(err, unix.ENODEV) {
		complain(fmt.Errorf("mounting cgroups: %w", err)) // a small kernel may do without
	}
	for link, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := os.MkdirAll("/tmp", 0o755); err != nil {
		return nil //nolint:nilerr // an image without a usable /tmp is still an image
	}
	if st, err := os.Stat("/tmp"); err == nil && st.IsDir() {
		_ = os.Chmod("/tmp", st.Mode().Perm()|os.ModeSticky|0o777)
	}
	return nil
}

// ext4ResizeFS is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64) (fs/ext4/ext4.h).
const ext4ResizeFS = 0x40086610

// grow resizes the mounted ext4 to its device. One that fills it is left as
// it is.
func grow(mountPoint, device string) error {
	disk, err := os.Open(device)
	if err != nil {
		return err
	}
	defer func() { _ = disk.Close() }()
	size, err := unix.IoctlGetInt(int(disk.Fd()), unix.BLKGETSIZE64)
	if err != nil {
		return fmt.Errorf("reading the size of %s: %w", device, err)
	}
	blockSize, blocks, err := ext4Size(disk)
	if err != nil {
		return err
	}
	want := uint64(size) / blockSize
	if want <= blocks {
		return nil
	}
	dir, err := os.Open(mountPoint)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), ext4ResizeFS, uintptr(unsafe.Pointer(&want))); errno != 0 {
		return errno
	}
	return nil
}

// ext4Size reads block size and count from a superblock
// (fs/ext4/ext4.h, struct ext4_super_block).
func ext4Size(disk *os.File) (blockSize, blocks uint64, err error) {
	var sb [1024]byte
	if _, err := disk.ReadAt(sb[:], 1024); err != nil {
		return 0, 0, fmt.Errorf("reading the superblock: %w", err)
	}
	if binary.LittleEndian.Uint16(sb[0x38:]) != 0xef53 {
		return 0, 0, errors.New("the root disk is no ext4")
	}
	blockSize = 1024 << (binary.LittleEndian.Uint32(sb[0x18:]) & 7)
	blocks = uint64(binary.LittleEndian.Uint32(sb[0x4:])) | uint64(binary.LittleEndian.Uint32(sb[0x150:]))<<32
	return blockSize, blocks, nil
}
