package ext4_test

import (
	"bytes"
	"fmt"
	"testing"

	"banger/internal/ext4"
)

// benchTree has dirs directories of perDir files with bodies of size bytes.
func benchTree(b *testing.B, m *image, dirs, perDir, size int) *ext4.Node {
	b.Helper()
	content := pattern(1, size)
	root := dir(tree{})
	for i := range dirs {
		children := make(tree, perDir)
		for j := range perDir {
			body, err := m.stream.WriteBody(bytes.NewReader(content), int64(size))
			if err != nil {
				b.Fatal(err)
			}
			children[fmt.Sprintf("library-%d-%d.so", i, j)] = &ext4.Node{Mode: sIFREG | 0o644, MTime: epoch, Body: body}
		}
		root.Children[fmt.Sprint("package-", i)] = dir(children)
	}
	return root
}

// BenchmarkFinish finishes a tree of 80,000 inodes, the size of a large developer image.
func BenchmarkFinish(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		m := newImage(b)
		root := benchTree(b, m, 8000, 9, 1)
		b.StartTimer()
		m.finish(root, 1*gib)
	}
}

// BenchmarkWriteBody streams bodies of several sizes.
func BenchmarkWriteBody(b *testing.B) {
	for _, size := range []int{1000, 10_000, 30_000, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := newImage(b)
			content := pattern(1, size)
			r := bytes.NewReader(content)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			written := 0
			for b.Loop() {
				r.Reset(content)
				if _, err := m.stream.WriteBody(r, int64(size)); err != nil {
					b.Fatal(err)
				}
				if written += size; written > 1<<30 { // bound the file
					b.StopTimer()
					written = 0
					m = newImage(b)
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkWalk reads a tree of 80,000 inodes.
func BenchmarkWalk(b *testing.B) {
	m := newImage(b)
	m.finish(benchTree(b, m, 8000, 9, 1), 1*gib)
	fs := m.open()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := fs.Walk(b.Context(), func(string, *ext4.Inode) error { n++; return nil }); err != nil || n != 80_002 {
			b.Fatalf("%d files, %v", n, err)
		}
	}
}
