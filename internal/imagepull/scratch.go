package imagepull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/run"
)

// scratchDir is the directory of the links, in the cache.
const scratchDir = "scratch"

// removeTimeout bounds the removal of what a program has left.
const removeTimeout = time.Minute

// scratch keeps directories for the temporary files of programs. They lie with
// those of all other programs, as an ordinary user's mmdebstrap works under
// subordinate ids that cannot enter a home. A link in the cache is made before
// a directory and removed after it: it tells of one that outlived its daemon.
type scratch struct {
	links string // directory of the links

	mu    sync.Mutex
	inUse map[string]bool // links
}

// open makes a directory; remove removes it with all that it holds, also when
// ctx has ended.
func (s *scratch) open(ctx context.Context) (dir string, remove func() error, err error) {
	name := "banger-" + model.NewID()
	dir, link := filepath.Join(os.TempDir(), name), filepath.Join(s.links, name)
	s.mu.Lock()
	s.inUse[link] = true
	s.mu.Unlock()
	remove = sync.OnceValue(func() error {
		s.mu.Lock()
		delete(s.inUse, link)
		s.mu.Unlock()
		return removeScratch(context.WithoutCancel(ctx), link)
	})
	if err := os.Symlink(dir, link); err != nil {
		return "", nil, storageError(err)
	}
	if err = os.Mkdir(dir, 0o700); err == nil {
		err = os.Chmod(dir, 0o711) // subordinate ids pass, whatever the umask
	}
	if err != nil {
		return "", nil, errors.Join(storageError(err), remove())
	}
	return dir, remove, nil
}

// sweep removes the directories of daemons that were killed. One that cannot
// be removed, as its program has not ended yet, stays for the next time.
func (s *scratch) sweep(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, err := filepath.Glob(filepath.Join(s.links, "*"))
	for _, link := range left {
		if !s.inUse[link] {
			err = errors.Join(err, removeScratch(ctx, link))
		}
	}
	return err
}

// removeScratch removes the directory that link names, and link. It never goes
// into another file system: a program that was killed may have mounted the
// host's.
func removeScratch(ctx context.Context, link string) error {
	dir, err := os.Readlink(link)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	rm := run.Cmd{Name: "rm", Args: []string{"-rf", "--one-file-system", "--", dir}} // rm(1)
	_, err = run.Command(ctx, rm)
	if err != nil && os.Geteuid() != 0 {
		// The subordinate ids' files first; dir itself is not theirs.
		asRoot := run.Cmd{Name: "mmdebstrap", Args: append([]string{"--unshare-helper", rm.Name}, rm.Args...)}
		_, _ = run.Command(ctx, asRoot)
		_, err = run.Command(ctx, rm)
	}
	if err != nil {
		return fmt.Errorf("removing temporary files: %w", err)
	}
	return os.Remove(link)
}

// Sweep removes what programs have left that outlived their daemon.
func (c *Cache) Sweep(ctx context.Context) error { return c.scratch.sweep(ctx) }
