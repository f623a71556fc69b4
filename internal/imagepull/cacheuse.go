package imagepull

import (
	"os"
	"sync"
	"time"
)

// usage counts who reads which blob.
type usage struct {
	mu   sync.Mutex
	open map[Digest]int
}

func (u *usage) add(d Digest, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = map[Digest]int{}
	}
	if u.open[d] += n; u.open[d] == 0 {
		delete(u.open, d)
	}
}

func (u *usage) has(d Digest) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open[d] > 0
}

// blobFile is a blob of the cache that stays there while it is open.
type blobFile struct {
	*os.File
	release func()
}

func (b *blobFile) Close() error {
	b.release()
	return b.File.Close()
}

// hold counts f as a reader of the blob d and notes when it was used.
func (c *Cache) hold(d Digest, f *os.File) *blobFile {
	c.usage.add(d, 1)
	c.touch(d)
	return &blobFile{f, sync.OnceFunc(func() { c.usage.add(d, -1) })}
}

// touch notes that a blob was used. That is for Prune's order alone, so a
// failure does not matter.
func (c *Cache) touch(d Digest) {
	now := time.Now()
	_ = os.Chtimes(c.blob(d), now, now)
}
