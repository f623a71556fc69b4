package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/run"
)

func (s *Service) driver(ctx context.Context) model.Check {
	f, err := s.cfg.Driver.Features(ctx)
	if err != nil {
		return fail("driver", err.Error(), model.HintOf(err))
	}
	return ok("driver", f.Driver+" "+f.Version)
}

func (s *Service) kvm(ctx context.Context) model.Check {
	f, err := s.cfg.Driver.Features(ctx)
	switch {
	case err != nil:
		return warn("kvm", "not known: there is no driver", "")
	case f.Accel != "kvm":
		return warn("kvm", "VMs are emulated, which is slower: "+f.Why, "")
	}
	return ok("kvm", "VMs run on the processor itself")
}

// programs are those that some operations call.
func programs() []model.Check {
	var found []model.Check
	for _, p := range []struct{ name, does, pkg string }{
		{"apt-get", "pulls kernels from distributions' packages", "apt"},
		{"mmdebstrap", "makes images from distributions' packages", "mmdebstrap"},
		{"e2fsck", "checks root filesystems that are registered and verified", "e2fsprogs"},
	} {
		if path, err := run.LookPath(p.name); err == nil {
			found = append(found, ok(p.name, path))
		} else {
			found = append(found, warn(p.name, "it is not here; it "+p.does, "apt install "+p.pkg))
		}
	}
	return found
}

// Below these much room is left, in bytes: an image and its VM need some
// hundred megabytes, a daemon that cannot write its database is of no use.
const (
	scarce = 2 << 30
	tooLow = 64 << 20
)

func (s *Service) space() []model.Check {
	var found []model.Check
	seen := map[int32]bool{}
	for _, dir := range []string{s.cfg.Paths.State, s.cfg.Paths.Cache, s.cfg.Paths.Run} {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			found = append(found, fail("space", fmt.Sprintf("%s: %v", dir, err), ""))
			continue
		}
		if seen[st.Fsid.Val[0]] {
			continue
		}
		seen[st.Fsid.Val[0]] = true
		found = append(found, judgeSpace(dir, int64(st.Bavail)*st.Bsize, st.Files, st.Ffree))
	}
	return found
}

// judgeSpace is pure. A filesystem without a fixed number of inodes has 0.
func judgeSpace(dir string, free int64, inodes, freeInodes uint64) model.Check {
	text := fmt.Sprintf("%d MiB free in %s", free>>20, dir)
	switch {
	case free < tooLow:
		return fail("space", text, "banger system prune")
	case inodes > 0 && freeInodes < 1000:
		return fail("space", fmt.Sprintf("%d inodes free in %s", freeInodes, dir), "banger system prune")
	case free < scarce:
		return warn("space", text, "banger system df")
	}
	return ok("space", text)
}

// directories checks that banger's own are there, ours, and closed to others.
func (s *Service) directories(fix bool) []model.Check {
	var found []model.Check
	for _, dir := range []string{s.cfg.Paths.State, s.cfg.Paths.Cache, s.cfg.Paths.Run} {
		found = append(found, directory(dir, fix))
	}
	return found
}

func directory(dir string, fix bool) model.Check {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail("permissions", dir+" is not there", "banger system shutdown: the next daemon makes it")
	case err != nil:
		return fail("permissions", err.Error(), "")
	case unix.Access(dir, unix.W_OK|unix.X_OK) != nil:
		return fail("permissions", dir+" cannot be written to", "ls -ld "+dir)
	}
	mode := info.Mode().Perm()
	if mode&0o022 == 0 {
		return ok("permissions", fmt.Sprintf("%s is %04o", dir, mode))
	}
	if fix && os.Chmod(dir, mode&^0o022) == nil {
		return ok("permissions", fmt.Sprintf("%s was %04o and is %04o now", dir, mode, mode&^0o022))
	}
	return fail("permissions", fmt.Sprintf("others may write to %s: it is %04o", dir, mode), "banger doctor --fix")
}

// Limits below which many VMs do not work.
const (
	wantFiles   = 4096 // descriptors: a running VM takes some six
	wantInotify = 64
)

func limits() []model.Check {
	var files unix.Rlimit
	found := make([]model.Check, 0, 2)
	switch err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); {
	case err != nil:
		found = append(found, warn("open files", err.Error(), ""))
	case files.Cur < wantFiles:
		found = append(found, warn("open files", fmt.Sprintf("the daemon may have %d open", files.Cur), fmt.Sprintf("ulimit -n %d; banger system shutdown", wantFiles)))
	default:
		found = append(found, ok("open files", fmt.Sprintf("the daemon may have %d open", files.Cur)))
	}
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
	n, parseErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil && parseErr == nil && n < wantInotify {
		return append(found, warn("inotify", fmt.Sprintf("a user may have %d instances", n), fmt.Sprintf("sysctl fs.inotify.max_user_instances=%d", 2*wantInotify)))
	}
	return append(found, ok("inotify", fmt.Sprintf("a user may have %d instances", n)))
}

func (s *Service) database(ctx context.Context) model.Check {
	if err := s.cfg.Store.Check(ctx); err != nil {
		return fail("database", err.Error(), model.HintOf(err))
	}
	return ok("database", s.cfg.Paths.DB()+" is sound")
}
