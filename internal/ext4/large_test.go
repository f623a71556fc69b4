package ext4_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"banger/internal/ext4"
)

// TestLargeDirectory needs a hash tree of two levels.
func TestLargeDirectory(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	const n = 125_000
	children := make(tree, n)
	for i := range n {
		children[name(i)+"-with-a-longer-name"] = &ext4.Node{Mode: sIFREG | 0o644, MTime: epoch}
	}
	stats := m.finish(dir(tree{"large": dir(children)}), 1*gib)
	if stats.Inodes != n+12 || stats.FreeInodes < n/4 {
		t.Errorf("%d inodes used, %d free", stats.Inodes, stats.FreeInodes)
	}
	fsck(t, m.path)
	list, err := m.open().ReadDir("/large")
	if err != nil || len(list) != n {
		t.Errorf("%d entries, %v", len(list), err)
	}
	if _, err := m.open().Lookup("/large/" + name(99_999) + "-with-a-longer-name"); err != nil {
		t.Error(err)
	}
}

// TestManySubdirectories has more than a link count holds (dir_nlink).
func TestManySubdirectories(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]uint32{64_998: 65_000, 64_999: 1} {
		m := newImage(t)
		children := make(tree, n)
		for i := range n {
			children[name(i)] = &ext4.Node{Mode: sIFDIR | 0o755, MTime: epoch}
		}
		m.finish(dir(tree{"many": dir(children)}), 0)
		info, err := m.open().Stat("many")
		if err != nil || info.Links != want {
			t.Errorf("%d subdirectories: %d links, %v; want %d", n, info.Links, err, want)
		}
		fsck(t, m.path)
	}
}

// TestMostHardLinks has as many names of one file as ext4 allows.
func TestMostHardLinks(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	file := m.reg("x")
	children := make(tree, 65_000)
	for i := range 65_000 {
		children[name(i)] = file
	}
	m.finish(dir(children), 128*mib)
	info, err := m.open().Stat(name(0))
	if err != nil || info.Links != 65_000 {
		t.Errorf("%d links, %v", info.Links, err)
	}
	fsck(t, m.path)
}

// TestParallelStreams has several goroutines write into one image.
func TestParallelStreams(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	var wg sync.WaitGroup
	layers := make([]tree, 4)
	bodies := make([]map[string][]byte, len(layers))
	for i := range layers {
		layers[i], bodies[i] = tree{}, map[string][]byte{}
		wg.Go(func() {
			s := m.NewStream()
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range 300 {
				content := pattern(i*1000+j, random.IntN(60_000)*(1+j%100/99*50))
				body, err := s.WriteBody(&slowReader{content}, int64(len(content)))
				if err != nil {
					t.Error(err)
				}
				layers[i][name(j)] = &ext4.Node{Mode: sIFREG | 0o644, MTime: epoch, Body: body}
				bodies[i][name(j)] = content
				if j%5 == 4 {
					delete(layers[i], name(j))
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	root := dir(nil)
	root.Children = tree{}
	for i, l := range layers {
		root.Children[fmt.Sprint(i)] = dir(l)
	}
	m.finish(root, 0)
	fsck(t, m.path)
	for i, l := range layers {
		for name := range l {
			if readFile(t, m.open(), fmt.Sprintf("%d/%s", i, name)) != string(bodies[i][name]) {
				t.Errorf("%d/%s differs", i, name)
			}
		}
	}
}

// slowReader gives a body in odd portions.
type slowReader struct{ rest []byte }

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, errors.New("read beyond the body")
	}
	n := copy(p[:min(len(p), 1000)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
