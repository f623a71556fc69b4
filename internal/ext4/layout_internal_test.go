package ext4

import (
	"testing"

	"pgregory.net/rapid"
)

// claims enters a run in the bitmap, which must be free and inside.
func claim(t *rapid.T, used bitmap, what string, end, start, n uint64) {
	if start+n > end {
		t.Fatalf("%s: blocks %d+%d lie beyond the end, %d", what, start, n, end)
	}
	if !used.set(start, n) {
		t.Fatalf("%s: blocks %d+%d are taken", what, start, n)
	}
}

// TestLayoutHasNoOverlap checks every layout that fit accepts.
func TestLayoutHasNoOverlap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(copyBlocks+1, 100*blocksPerGroup).Draw(t, "size")
		watermark := rapid.Uint64Range(copyBlocks, size).Draw(t, "watermark")
		d := demand{rapid.Uint64Range(11, 3_000_000).Draw(t, "inodes"), rapid.Uint64Range(0, 100_000).Draw(t, "meta")}
		l, ok := fit(size, watermark, d)
		if !ok {
			t.Skip("does not fit")
		}
		if l.blocks > size || uint64(l.groups)*uint64(l.inodesPerGroup) < d.inodes || l.inodesPerGroup%inodesPerBlock != 0 {
			t.Fatalf("%d blocks, %d groups of %d inodes", l.blocks, l.groups, l.inodesPerGroup)
		}
		used := newBitmap(l.groups)
		for g := range l.groups {
			if hasCopy(uint64(g)) {
				used.set(uint64(g)*blocksPerGroup, min(copyBlocks, l.groupBlocks(g)))
			}
		}
		usable := uint64(0)
		for b := l.meta.start; b < l.meta.start+l.meta.n; b = skipCopy(b + 1) {
			usable++
		}
		if usable < d.meta || l.meta.start < watermark {
			t.Fatalf("%d blocks from %d on for %d of metadata behind %d", usable, l.meta.start, d.meta, watermark)
		}
		for b := l.meta.start; b < l.meta.start+l.meta.n; b = skipCopy(b + 1) {
			claim(t, used, "metadata", l.blocks, b, 1)
		}
		claim(t, used, "resize inode", l.blocks, l.dind, 1)
		claim(t, used, "journal", l.blocks, l.journal.start, l.journal.n)
		for g := range l.groups {
			claim(t, used, "block bitmap", l.blocks, l.blockBitmaps[g], 1)
			claim(t, used, "inode bitmap", l.blocks, l.inodeBitmaps[g], 1)
			claim(t, used, "inode table", l.blocks, l.inodeTables[g], l.tableBlocks())
		}
	})
}

// TestSmallestAndAllLargerFit is the promise of Writer.Need.
func TestSmallestAndAllLargerFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		watermark := rapid.Uint64Range(copyBlocks, 60*blocksPerGroup).Draw(t, "watermark")
		d := demand{rapid.Uint64Range(11, 3_000_000).Draw(t, "inodes"), rapid.Uint64Range(0, 100_000).Draw(t, "meta")}
		size := smallest(watermark, d)
		for _, more := range []uint64{0, rapid.Uint64Range(0, 3*blocksPerGroup).Draw(t, "more"), rapid.Uint64Range(0, maxBlocks-size).Draw(t, "much more")} {
			if _, ok := fit(size+more, watermark, d); !ok {
				t.Fatalf("smallest is %d, but %d blocks do not fit", size, size+more)
			}
		}
	})
}

func TestCopies(t *testing.T) {
	t.Parallel()
	want := map[uint64]bool{0: true, 1: true, 3: true, 5: true, 7: true, 9: true, 25: true, 27: true, 49: true, 81: true, 125: true}
	for g := range uint64(200) {
		if hasCopy(g) != want[g] {
			t.Errorf("hasCopy(%d) = %v", g, hasCopy(g))
		}
	}
}

func TestBitmapAgainstOneBitAtATime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const end = 512
		got, want := make(bitmap, end/8), [end]bool{}
		for range rapid.IntRange(1, 10).Draw(t, "sets") {
			from := rapid.Uint64Range(0, end).Draw(t, "from")
			n := rapid.Uint64Range(0, end-from).Draw(t, "n")
			fresh := true
			for b := from; b < from+n; b++ {
				fresh = fresh && !want[b]
				want[b] = true
			}
			if got.set(from, n) != fresh {
				t.Fatalf("set(%d, %d) = %v", from, n, !fresh)
			}
		}
		total := uint32(0)
		for b := range uint64(end) {
			if got.get(b) != want[b] {
				t.Fatalf("bit %d is %v", b, got.get(b))
			}
			if want[b] {
				total++
			}
		}
		if countSet(got) != total {
			t.Fatalf("count %d, want %d", countSet(got), total)
		}
		checkRuns(t, got, want[:])
	})
}

func checkRuns(t *rapid.T, m bitmap, want []bool) {
	for _, value := range []bool{false, true} {
		for at := uint64(0); at < uint64(len(want)); {
			start, n := m.nextRun(at, uint64(len(want)), value)
			for b := at; b < start; b++ {
				if want[b] == value {
					t.Fatalf("run from %d skips %d", at, b)
				}
			}
			for b := start; b < start+n; b++ {
				if want[b] != value {
					t.Fatalf("run %d+%d holds %d", start, n, b)
				}
			}
			at = start + n
			if at < uint64(len(want)) && want[at] == value {
				t.Fatalf("run %d+%d ends early", start, n)
			}
		}
	}
}
