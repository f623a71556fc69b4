package ext4_test

import (
	"errors"
	"fmt"
	"testing"

	"banger/internal/ext4"
)

// TestSizes has sizes around the borders of groups and of flex groups.
func TestSizes(t *testing.T) {
	t.Parallel()
	const group = 128 * mib
	for _, size := range []int64{
		10 * mib, 64*mib + 4095, group - 4096, group, group + 4096, group + 2*mib, group + 6*mib, 3*group + 5*mib, 10 * group,
		16 * group, 17 * group, 16*group + 4*mib, 33*group + 100*mib, 64 * group, 65 * group, 100 * gib, 1 << 40,
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			m := newImage(t)
			root := dir(tree{"a": m.reg("hello"), "b": dir(tree{"c": m.reg(string(pattern(1, 100_000)))})})
			stats := m.finish(root, size)
			info, err := m.file.Stat()
			if err != nil || info.Size() != size/4096*4096 {
				t.Errorf("the file has %d bytes, %v", info.Size(), err)
			}
			if lost := size - stats.Blocks*4096; lost < 0 || lost > 8*mib {
				t.Errorf("%d blocks of %d bytes", stats.Blocks, size)
			}
			m.verify(root)
		})
	}
}

// TestNeed: the size that Need tells is accepted, less is refused with the same number.
func TestNeed(t *testing.T) {
	t.Parallel()
	for _, files := range []int{0, 1, 100, 3000} {
		m := newImage(t)
		children := tree{}
		for i := range files {
			children[name(i)] = m.reg(string(pattern(i, 20_000)))
		}
		root := dir(children)
		if err := m.stream.Close(); err != nil {
			t.Fatal(err)
		}
		need, err := m.Need(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Finish(t.Context(), root, ext4.FinishOptions{SizeBytes: need - mib})
		var size *ext4.SizeError
		if !errors.As(err, &size) || size.Need != need || size.Have != need-mib {
			t.Fatalf("%d files need %d; one MiB less: %v", files, need, err)
		}
		m.finish(root, 0)
		if info, _ := m.file.Stat(); info.Size() != need {
			t.Errorf("the smallest image has %d bytes, need is %d", info.Size(), need)
		}
		m.verify(root)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	if err := m.stream.Close(); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []int64{1<<40 + 4096, -1, 1, mib} {
		var size *ext4.SizeError
		_, err := m.Finish(t.Context(), dir(nil), ext4.FinishOptions{SizeBytes: wanted})
		if !errors.As(err, &size) {
			t.Errorf("%d bytes: %v", wanted, err)
		}
	}
}

// TestUnusedBodies: blocks of bodies outside the tree are free and read as zeros.
func TestUnusedBodies(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	children := tree{}
	for i := range 200 {
		children[name(i)] = m.reg(string(pattern(i, 10_000+i*100)))
		m.body(pattern(-i, 30_000))
	}
	m.body(pattern(7, 8*mib))
	children["last"] = m.reg("last")
	root := dir(children)
	stats := m.finish(root, 128*mib)
	m.verify(root)
	if stats.BytesUsed > 26*mib { // 5 MiB of bodies, 16 of journal, the inode table
		t.Errorf("%d bytes are used", stats.BytesUsed)
	}
	m.checkFreeIsZero()
}

// checkFreeIsZero reads every free block, as debugfs lists them.
func (m *image) checkFreeIsZero() {
	m.t.Helper()
	block := make([]byte, 4096)
	blocks := m.open().Superblock().Blocks
	for _, r := range freeRuns(m.t, m.path, blocks) {
		for b := r[0]; b <= r[1]; b++ {
			if _, err := m.file.ReadAt(block, b*4096); err != nil {
				m.t.Fatal(err)
			}
			if string(block) != string(make([]byte, 4096)) {
				m.t.Fatalf("free block %d is not zero", b)
			}
		}
	}
}

// TestPacking: bodies outside the tree take most of the written space, and the rest fits only when moved together.
func TestPacking(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	children := tree{}
	for i := range 150 {
		m.body(pattern(-i, 900_000))
		children[name(i)] = m.reg(string(pattern(i, 100_000+i)))
	}
	m.body(pattern(1, 60*mib))
	children["large"] = m.reg(string(pattern(3, 20*mib)))
	root := dir(children)
	if err := m.stream.Close(); err != nil {
		t.Fatal(err)
	}
	need, err := m.Need(t.Context(), root)
	if err != nil || need > 64*mib {
		t.Fatalf("%d bytes needed for 35 MiB, %v", need, err)
	}
	m.finish(root, need)
	m.verify(root)
	m.checkFreeIsZero()
}
