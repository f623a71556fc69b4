package e2e

import (
	"strings"
	"testing"
)

// TestModulesOnDemand: what is a module in the default kernel works in a guest
// whose image has no modprobe, and is not loaded before it is asked for.
func TestModulesOnDemand(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	h := w.home
	h.vm(t, "modules", "debian-multi")
	if got := h.guest(t, "modules", "ls /sbin/modprobe 2>/dev/null; cut -d' ' -f1 /proc/modules | grep -x 'overlay\\|tun' || true"); got != "" {
		t.Errorf("at first: %q", got)
	}
	got := h.guest(t, "modules", `mkdir /tmp/upper /tmp/work && mount -t overlay overlay -o lowerdir=/etc,upperdir=/tmp/upper,workdir=/tmp/work /mnt &&
		echo changed >/mnt/hostname && cat /tmp/upper/hostname; (exec 3<>/dev/net/tun) && cut -d' ' -f1 /proc/modules | grep -x 'overlay\|tun' | sort`)
	if strings.Join(strings.Fields(got), " ") != "changed overlay tun" {
		t.Errorf("asked for: %q", got)
	}
	if got := h.guest(t, "modules", "mount -t nosuchfs none /mnt 2>&1 || ls /lib/modules/$(uname -r)/modules.dep"); !strings.Contains(got, "/modules.dep") {
		t.Errorf("one that there is not: %q", got)
	}
}
