package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"banger/internal/model"
	"banger/internal/proc"
)

// DiskUsage implements rpc.HealthAPI.
func (s *Service) DiskUsage(ctx context.Context) ([]model.Usage, error) {
	r, err := s.rows(ctx)
	if err != nil {
		return nil, err
	}
	m := measure{seen: map[inode]bool{}}
	p := s.cfg.Paths
	images := model.Usage{Kind: "images", Count: len(r.images)}
	used := imagesInUse(r.vms)
	for _, img := range r.images {
		size := m.of(img.Dir)
		images.Bytes += size
		if !used[img.ID] {
			images.ReclaimableBytes += size
		}
	}
	volumes := model.Usage{Kind: "volumes", Count: len(r.volumes)}
	for _, v := range r.volumes {
		size := m.of(v.Dir)
		volumes.Bytes += size
		if len(v.Users) == 0 {
			volumes.ReclaimableBytes += size
		}
	}
	cache := model.Usage{Kind: "image cache", Count: count(filepath.Join(p.OCI(), "blobs", "sha256")), Bytes: m.of(p.OCI())}
	cache.ReclaimableBytes = cache.Bytes
	initramfs := model.Usage{Kind: "initial file systems", Count: count(p.Initramfs()), Bytes: m.of(p.Initramfs())}
	initramfs.ReclaimableBytes = initramfs.Bytes
	lists := model.Usage{Kind: "package lists", Count: count(p.Apt()), Bytes: m.of(p.Apt())}
	lists.ReclaimableBytes = lists.Bytes
	return []model.Usage{
		images,
		{Kind: "kernels", Count: len(r.kernels), Bytes: m.of(p.Kernels())},
		{Kind: "VMs", Count: len(r.vms), Bytes: m.of(p.VMs())},
		volumes, cache, initramfs, lists,
		{Kind: "database", Count: 1, Bytes: m.of(p.DB()) + m.of(p.DB()+"-wal")},
		{Kind: "daemon log", Count: 1, Bytes: m.of(p.DaemonLog()) + m.of(p.DaemonLog()+".1")},
	}, ctx.Err()
}

func imagesInUse(vms []model.VM) names {
	used := names{}
	for _, vm := range vms {
		used.add(vm.ImageID)
	}
	return used
}

// measure counts bytes on disk; a file with several names counts once.
type measure struct{ seen map[inode]bool }

type inode struct{ dev, ino uint64 }

// of returns what a file or directory takes. What goes away meanwhile does
// not count.
func (m measure) of(path string) (bytes int64) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went away, or never was
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // it went away
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || m.seen[inode{st.Dev, st.Ino}] {
			return nil
		}
		m.seen[inode{st.Dev, st.Ino}] = true
		bytes += st.Blocks * 512
		return nil
	})
	return bytes
}

func count(dir string) int {
	all, _ := os.ReadDir(dir) // not there yet: none
	return len(all)
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func isGone(err error) bool { return errors.Is(err, proc.ErrGone) }
