package e2e

import (
	"strconv"
	"strings"
	"testing"
)

// TestDisks: a work disk begins as the image's home and survives what happens
// to the root disk; disks grow under a running guest and before a start.
func TestDisks(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	h.vm(t, "disks", "busybox", "--work", "64M", "--disk", "1200M")
	kib := func(dir string) int { return h.sizeKiB(t, "disks", dir) }
	if got := h.guest(t, "disks", "grep -c ' /root ext4 rw' /proc/mounts; stat -c %U:%a /root"); got != "1\nroot:700" && got != "1\nroot:755" {
		t.Errorf("the work disk's mount, owner and mode: %q", got)
	}
	h.guest(t, "disks", "echo kept >/root/file; echo lost >/etc/file")
	if before := kib("/root"); before > 64<<10 {
		t.Errorf("the work disk has %d KiB, want nearly 64 MiB", before)
	}
	h.ok(t, "vm", "set", "disks", "--work", "256M", "--disk", "2G")
	if work, root := kib("/root"), kib("/"); work < 220<<10 || root < 1800<<10 {
		t.Errorf("after growing, the disks have %d and %d KiB, want nearly 256 MiB and 2 GiB", work, root)
	}
	if r := h.try(t, "vm", "set", "disks", "--disk", "1G"); r.code == 0 || !strings.Contains(r.stderr, "shrink") {
		t.Errorf("shrinking: want a refusal, got %s", r)
	}
	h.ok(t, "vm", "reset", "--force", "disks")
	h.ok(t, "vm", "set", "disks", "--work", "400M")
	if got := h.guest(t, "disks", "cat /root/file; ls /etc/file 2>/dev/null || true"); got != "kept" {
		t.Errorf("after a reset: %q, want the file of the work disk alone", got)
	}
	if work, root := kib("/root"), kib("/"); work < 350<<10 || root < 1800<<10 {
		t.Errorf("after a start, the disks have %d and %d KiB, want nearly 400 MiB and 2 GiB", work, root)
	}
	h.ok(t, "vm", "rebase", "--force", "disks", "busybox-zstd")
	if got := h.guest(t, "disks", "cat /root/file"); got != "kept" || h.show(t, "disks").Image != "busybox-zstd" {
		t.Errorf("after a move to another image: %q", got)
	}
}

// sizeKiB is the size of the filesystem that a directory of a guest is on.
func (h *home) sizeKiB(t *testing.T, vm, dir string) int {
	t.Helper()
	words := strings.Fields(h.guest(t, vm, "df -k "+dir+" | tail -n 1"))
	if len(words) < 2 {
		t.Fatalf("df: %q", words)
	}
	n, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
