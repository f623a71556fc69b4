package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestVolumes: what one VM writes the next one reads; one writer at a time;
// read-only is the device's, not the guest's, word; many disks stay in order.
func TestVolumes(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	for _, name := range []string{"va", "vb", "vc"} {
		h.ok(t, "volume", "create", "--size", "64M", name)
		t.Cleanup(func() { h.removeVolume(t, name) })
	}
	h.vm(t, "writer", "nonroot", "--work", "64M", "-v", "va:/srv/a", "-v", "vb:/srv/b/c", "-v", "vc:/srv")
	for _, file := range []string{"/srv/a/who", "/srv/b/c/who", "/srv/who"} {
		h.ok(t, "exec", "-u", "0", "writer", "--", "sh", "-c", "echo "+file+" >"+file)
	}
	if r := h.try(t, "run", "--rm", "-v", "va:/d", "busybox", "true"); r.code != 125 || !strings.Contains(r.stderr, "in use by VM writer") {
		t.Errorf("a second writer: want a refusal that names the first, got %s", r)
	}
	if r := h.try(t, "volume", "rm", "va"); r.code != 4 || !strings.Contains(r.stderr, "writer") {
		t.Errorf("deleting a volume in use: want exit code 4 and the VM's name, got %s", r)
	}
	h.ok(t, "rm", "-f", "writer") // without a word to the guest before
	h.ok(t, "run", "--rm", "-v", "va:/d", "busybox", "sh", "-c", "echo and me >>/d/who")
	h.ok(t, "volume", "resize", "--size", "256M", "vb")
	h.vm(t, "reader", "busybox", "-v", "va:/a:ro", "-v", "vb:/b", "-v", "vc:/c:ro")
	got := h.guest(t, "reader", `cat /a/who /b/who /c/who
echo x >/a/x || echo refused
mount -o remount,rw /a || echo refused
dd if=/dev/zero of=/dev/vdb bs=4096 count=1 2>/dev/null || echo refused`)
	if want := "/srv/a/who\nand me\n/srv/b/c/who\n/srv/who\nrefused\nrefused\nrefused"; got != want {
		t.Errorf("the reader says %q, want %q", got, want)
	}
	if kib := h.sizeKiB(t, "reader", "/b"); kib < 220<<10 {
		t.Errorf("after growing, the volume has %d KiB, want nearly 256 MiB", kib)
	}
}

// removeVolume deletes a volume when its VMs are gone.
func (h *home) removeVolume(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if r := h.run(ctx, "volume", "rm", name); r.code != 0 && r.code != 3 {
		t.Errorf("deleting volume %s: %s", name, r)
	}
}
