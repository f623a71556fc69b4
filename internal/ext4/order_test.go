package ext4_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"banger/internal/ext4"
)

// turns writes the bodies of several streams in an order of turns that seed makes, and returns the image's
// bytes. Streams are expected to write expect bytes each.
func turns(t *testing.T, seed uint64, expect, size int64) []byte {
	t.Helper()
	m := newImage(t)
	const streams, files = 5, 60
	random := rand.New(rand.NewPCG(seed, 0))
	trees := make([]tree, streams)
	open := make([]*ext4.Stream, streams)
	for i := range open {
		trees[i], open[i] = tree{}, m.NewSizedStream(expect)
	}
	for left := streams * files; left > 0; {
		i := random.IntN(streams)
		j := len(trees[i])
		if j == files {
			continue
		}
		left--
		content := pattern(i*1000+j, 1000+j*j*25*(i+1))
		body, err := open[i].WriteBody(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		node := &ext4.Node{Mode: sIFREG | 0o644, MTime: epoch, Body: body}
		trees[i][name(j)], m.content[node] = node, sha(content)
	}
	root := dir(tree{})
	for i, s := range open {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if i != 2 { // the bodies of one stream are not in the tree
			root.Children[fmt.Sprint(i)] = dir(trees[i])
		}
	}
	m.finish(root, size)
	if seed == 1 {
		m.verify(root)
		m.checkFreeIsZero()
	}
	image, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestTurnsDoNotMatter: the same bodies in the same streams give the same bytes, whether the streams have
// regions, fill them, or have to be moved together.
func TestTurnsDoNotMatter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		expect, size int64
	}{
		{"nothing expected", 0, 64 * mib},
		{"some expected", 1 * mib, 64 * mib},
		{"too much expected", 50 * mib, 0},
		{"across superblock copies", 40 * mib, 256 * mib},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := turns(t, 1, c.expect, c.size)
			for seed := uint64(2); seed < 3; seed++ {
				if !bytes.Equal(first, turns(t, seed, c.expect, c.size)) {
					t.Fatalf("turn order %d gives another image", seed)
				}
			}
		})
	}
}

// TestRewind: what a stream wrote before leaves no trace.
func TestRewind(t *testing.T) {
	t.Parallel()
	image := func(before int) []byte {
		m := newImage(t)
		s := m.NewSizedStream(2 * mib)
		for i := range before {
			if _, err := s.WriteBody(bytes.NewReader(pattern(i, mib)), mib); err != nil {
				t.Fatal(err)
			}
		}
		s.Rewind()
		content := pattern(100, 5*mib)
		body, err := s.WriteBody(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		node := &ext4.Node{Mode: sIFREG | 0o644, MTime: epoch, Body: body}
		m.content[node] = sha(content)
		root := dir(tree{"a": node})
		m.finish(root, 64*mib)
		m.verify(root)
		m.checkFreeIsZero()
		b, err := os.ReadFile(m.path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	clean := image(0)
	for _, before := range []int{1, 12} {
		if !bytes.Equal(clean, image(before)) {
			t.Errorf("%d bodies before the rewind change the image", before)
		}
	}
}

// A body that was packed and cut again is the same body, in a chunk or not.
func TestPackedBodies(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4096, 5000, 3 << 20} {
		m := newImage(t)
		node := m.reg(strings.Repeat("body", size/4+1)[:size])
		packed := append(node.Body.AppendTo([]byte("before")), "after"...)
		body, rest := ext4.CutBody(packed[len("before"):])
		if string(rest) != "after" || body.Size() != int64(size) {
			t.Errorf("%d bytes: %d of them, then %q", size, body.Size(), rest)
		}
		if !bytes.Equal(body.AppendTo([]byte("before")), packed[:len(packed)-len("after")]) {
			t.Errorf("%d bytes: packed in another way the second time", size)
		}
	}
}
