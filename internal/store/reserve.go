package store

import (
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// reserveBytes is room for some hundred writes.
	reserveBytes = 2 << 20
	// reserveShare is how many times as much must be free for it to be taken.
	reserveShare = 4
)

// reserve is room on the disk for the writes without which nothing could be
// stopped or deleted once the disk is full. The zero value has none.
type reserve struct {
	path string
	mu   sync.Mutex
}

// fill takes the room, if there is plenty.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" || !r.plenty() {
		return
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return // what it is for says so when it comes to it
	}
	defer f.Close()
	if unix.Fallocate(int(f.Fd()), 0, 0, reserveBytes) != nil {
		_ = os.Remove(r.path)
	}
}

func (r *reserve) plenty() bool {
	var fs unix.Statfs_t
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveBytes {
		return false // it is there
	}
	err := unix.Statfs(filepath.Dir(r.path), &fs)
	return err == nil && fs.Bavail*uint64(fs.Bsize) >= reserveShare*reserveBytes
}

// release gives the room back; false: there was none.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.path != "" && os.Remove(r.path) == nil
}
