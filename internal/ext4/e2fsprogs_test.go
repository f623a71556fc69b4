package ext4_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"banger/internal/ext4"
)

// freeRuns returns the first and last block of each free run, from dumpe2fs.
func freeRuns(t testing.TB, path string, blocks int64) [][2]int64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool(t, "dumpe2fs"), path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var runs [][2]int64
	for line := range strings.Lines(string(out)) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "Free blocks: ")
		if !ok || !strings.Contains(list, "-") {
			continue
		}
		for item := range strings.SplitSeq(list, ", ") {
			var r [2]int64
			if n, _ := fmt.Sscanf(item, "%d-%d", &r[0], &r[1]); n == 1 {
				r[1] = r[0]
			}
			if r[1] >= blocks {
				t.Fatalf("free run %v of %d blocks", r, blocks)
			}
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 {
		t.Fatal("dumpe2fs lists no free blocks")
	}
	return runs
}

// TestDebugfs compares single values with what debugfs makes of them.
func TestDebugfs(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	file := m.reg("hello")
	file.Xattrs = map[string][]byte{"user.small": []byte("in inode"), "user.large": pattern(1, 300), "security.x": []byte("s")}
	file.UID, file.GID = 70000, 80000
	m.finish(dir(tree{
		"file": file, "link": symlink("/over/there"), "dev": {Mode: 0o020644, Major: 300, Minor: 70000, MTime: epoch},
	}), 64*mib)
	for command, wants := range map[string][]string{
		"stat /file":              {"Type: regular", "Mode:  0644", "User: 70000", "Group: 80000", "Size: 5", "mtime: 0x6553f100:1d6f3454", "crtime: 0x6553f100:1d6f3454"},
		"stat /link":              {"Type: symlink", `Fast link dest: "/over/there"`},
		"stat /dev":               {"Type: character special", "major/minor number: 300:70000"},
		"cat /file":               {"hello"},
		"ea_get /file user.small": {`user.small (8) = "in inode"`},
		"ea_get /file user.large": {"user.large"},
		"stat <8>":                {"Flags: 0x80000", "Size: 8388608"},
		"stat <7>":                {"Size: 4299210752", "Blockcount: 2048"},
	} {
		out := debugfs(t, m.path, command)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", command, want, out)
			}
		}
	}
}

// TestResize grows an image off line and shrinks it, as users of resize2fs do.
func TestResize(t *testing.T) {
	t.Parallel()
	resize := tool(t, "resize2fs")
	for _, sizes := range [][]int64{
		{256 * mib, 300 * mib, 1 * gib, 20 * gib, 2000 * gib},
		{100 * mib, 130 * mib, 5 * gib},
		{1 * gib, 2 * gib, 500 * mib},
		{40 * gib, 60 * gib},
	} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			t.Parallel()
			m := newImage(t)
			root := dir(tree{"a": m.reg(string(pattern(1, 3*mib))), "d": dir(tree{"e": m.reg("x")})})
			m.finish(root, sizes[0])
			for _, size := range sizes[1:] {
				out, err := exec.CommandContext(t.Context(), resize, "-f", m.path, fmt.Sprintf("%dK", size/1024)).CombinedOutput()
				if err != nil {
					t.Fatalf("resize2fs to %d: %v\n%s", size, err, out)
				}
				if got := m.open().Superblock().Blocks * 4096; got > size || got < size-8*mib {
					t.Errorf("resized to %d, wanted %d", got, size)
				}
				m.verify(root)
			}
		})
	}
}

// TestMkfsImages reads what mke2fs makes of other geometries and features.
func TestMkfsImages(t *testing.T) {
	t.Parallel()
	mkfs := tool(t, "mke2fs")
	for name, args := range map[string][]string{
		"ext2":       {"-t", "ext2"},
		"ext3":       {"-t", "ext3"},
		"ext4":       {"-t", "ext4"},
		"1k blocks":  {"-t", "ext4", "-b", "1024"},
		"meta_bg":    {"-t", "ext4", "-O", "meta_bg,^resize_inode"},
		"csum_seed":  {"-t", "ext4", "-O", "metadata_csum_seed"},
		"128 inodes": {"-t", "ext4", "-I", "128", "-O", "^metadata_csum,uninit_bg"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testMkfsImage(t, mkfs, args)
		})
	}
}

func testMkfsImage(t *testing.T, mkfs string, args []string) {
	m := newImage(t)
	source := t.TempDir()
	large := string(pattern(5, 5*mib))
	writeFile(t, source+"/file", "hello")
	writeFile(t, source+"/large", large)
	for i := range 300 {
		writeFile(t, source+"/sub/"+name(i), name(i))
	}
	args = append(args, "-q", "-F", "-d", source, m.path, "64M")
	if out, err := exec.CommandContext(t.Context(), mkfs, args...).CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	fs := m.open()
	if list, err := fs.ReadDir("sub"); err != nil || len(list) != 300 {
		t.Errorf("%d entries, %v", len(list), err)
	}
	for path, want := range map[string]string{"file": "hello", "large": large, "sub/" + name(7): name(7)} {
		if got := readFile(t, fs, path); got != want {
			t.Errorf("%s has %d bytes, want %d", path, len(got), len(want))
		}
	}
	count := 0
	if err := fs.Walk(t.Context(), func(string, *ext4.Inode) error { count++; return nil }); err != nil || count != 305 {
		t.Errorf("%d files, %v", count, err)
	}
}
