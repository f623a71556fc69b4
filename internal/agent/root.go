package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	deviceTime = 10 * time.Second // for the disk to appear
	devicePoll = time.Millisecond
)

// mountRoot mounts the root filesystem on newRoot, which will be /.
func (g *guest) mountRoot(ctx context.Context, root wire.RootFS) error {
	if err := awaitDevice(ctx, root.Device); err != nil {
		return err
	}
	if err := mount(root.Device, newRoot, root.FSType, 0, ""); err != nil {
		return err
	}
	g.mounted(root.Device, "/")
	if root.Grow {
		return grow(root.Device, newRoot)
	}
	return nil
}

func awaitDevice(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	for {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Type() == os.ModeDevice {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", path, ctx.Err())
		case <-time.After(devicePoll):
		}
	}
}

// enterRoot makes newRoot the root directory, as switch_root(8) does: an
// initial file system cannot be unmounted, so it is emptied and mounted over.
func enterRoot() error {
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := mountPoint(newRoot + dir); err != nil {
			return err
		}
		if err := unix.Mount(dir, newRoot+dir, "", unix.MS_MOVE, ""); err != nil {
			return &os.PathError{Op: "move mount", Path: dir, Err: err}
		}
	}
	_ = os.Remove(selfPath) // its pages stay for as long as it runs
	_ = os.Remove(modulesList)
	if err := unix.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	return errors.Join(unix.Chroot("."), unix.Chdir("/"))
}

// mountPoint makes path a directory of its own. Images may lack it, or have a
// link there, which would lead the mount astray.
func mountPoint(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Mkdir(path, 0o755)
}

// mountRest mounts what programs expect to be there.
func mountRest() error {
	const safe = unix.MS_NOSUID | unix.MS_NODEV
	if err := mountPoint("/run"); err != nil {
		return err
	}
	err := errors.Join(
		mount("tmpfs", "/run", "tmpfs", safe, "mode=755"),
		mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=620,ptmxmode=666,gid=5"),
		mount("tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777"),
		mount("cgroup2", "/sys/fs/cgroup", "cgroup2", safe|unix.MS_NOEXEC, "nsdelegate"),
	)
	if os.Mkdir("/tmp", 0o700) == nil {
		_ = os.Chmod("/tmp", 0o777|os.ModeSticky) // a mode that no umask narrows
	}
	_ = mount("mqueue", "/dev/mqueue", "mqueue", safe|unix.MS_NOEXEC, "") // not every kernel has it
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if linkErr := os.Symlink(target, "/dev/"+name); linkErr != nil && !errors.Is(linkErr, os.ErrExist) {
			err = errors.Join(err, linkErr)
		}
	}
	return err
}
