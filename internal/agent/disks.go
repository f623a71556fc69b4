package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"banger/internal/model"
	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// sizeTime is how long a disk that has grown may take to tell the guest.
const sizeTime = 10 * time.Second

// mountedDisk is a disk and where it is mounted.
type mountedDisk struct{ device, path string }

func (g *guest) mounted(device, path string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.disks = append(g.disks, mountedDisk{device, path})
}

// mountDisks mounts the disks beside the root, in their order.
func (g *guest) mountDisks(ctx context.Context, mounts []wire.Mount) error {
	for _, m := range mounts {
		if err := awaitDevice(ctx, m.Device); err != nil {
			return err
		}
		if err := mountDisk(m); err != nil {
			return err
		}
		g.mounted(m.Device, m.Path)
	}
	return nil
}

// mountDisk mounts one disk. Links of the image lead where they lead for every
// program of the guest.
func mountDisk(m wire.Mount) error {
	if err := os.MkdirAll(m.Path, 0o755); err != nil {
		return fmt.Errorf("making the directory of %s: %w", m.Device, err)
	}
	covered, err := os.Stat(m.Path)
	if err != nil {
		return err
	}
	var flags uintptr
	if m.ReadOnly {
		flags = unix.MS_RDONLY
	}
	if err := unix.Mount(m.Device, m.Path, m.FSType, flags, ""); err != nil {
		return &os.PathError{Op: "mount " + m.Device, Path: m.Path, Err: err}
	}
	if m.ReadOnly {
		return nil
	}
	if err := takeOver(m.Path, covered); err != nil {
		return fmt.Errorf("giving %s its owner: %w", m.Path, err)
	}
	if m.Grow {
		return grow(m.Device, m.Path)
	}
	return nil
}

// freshMode is the root directory's of a filesystem that nobody has changed.
const freshMode = fs.ModeDir | 0o755

// takeOver gives the root directory of a fresh filesystem the owner and the
// mode of the directory that it covers, so that the image's user can write.
func takeOver(path string, covered fs.FileInfo) error {
	now, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner, ok := covered.Sys().(*syscall.Stat_t)
	is, ok2 := now.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || is.Uid != 0 || is.Gid != 0 || now.Mode() != freshMode || !fresh(path) {
		return nil
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	return unix.Chmod(path, owner.Mode&0o7777)
}

// fresh says whether the root directory of a filesystem holds no more than
// mkfs puts there.
func fresh(path string) bool {
	dir, err := os.Open(path)
	if err != nil {
		return false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return len(names) == 0 || len(names) == 1 && names[0] == "lost+found"
}

// unmountDisks takes leave of the disks beside the root, the last one first.
// What is still in use is made read-only, so that it is whole all the same.
func (g *guest) unmountDisks() {
	g.mu.Lock()
	disks := slices.Clone(g.disks)
	g.mu.Unlock()
	for _, d := range slices.Backward(disks) {
		if d.path == "/" {
			continue // switchOff's
		}
		if unix.Unmount(d.path, 0) == nil {
			continue
		}
		if err := unix.Mount("", d.path, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			logError(fmt.Errorf("unmounting %s: %w", d.path, err))
		}
	}
}

// growDisk makes the filesystem of a mounted disk fill it.
func (g *guest) growDisk(ctx context.Context, want wire.Grow) error {
	g.mu.Lock()
	i := slices.IndexFunc(g.disks, func(d mountedDisk) bool { return d.device == want.Device })
	var disk mountedDisk
	if i >= 0 {
		disk = g.disks[i]
	}
	g.mu.Unlock()
	if i < 0 {
		return model.Errorf(model.CodeNotFound, "%s is not mounted", want.Device)
	}
	if err := awaitSize(ctx, want); err != nil {
		return err
	}
	return grow(disk.device, disk.path)
}

// awaitSize returns when the kernel has seen that a disk has grown.
func awaitSize(ctx context.Context, want wire.Grow) error {
	ctx, cancel := context.WithTimeout(ctx, sizeTime)
	defer cancel()
	for {
		size, err := deviceSize(want.Device)
		if err != nil || size >= want.SizeBytes {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to have %d bytes, it has %d: %w", want.Device, want.SizeBytes, size, ctx.Err())
		case <-time.After(devicePoll):
		}
	}
}

func deviceSize(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Seek(0, io.SeekEnd)
}
